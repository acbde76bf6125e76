//! What holds of the repository itself, and no compiler looks at.

mod rules;
