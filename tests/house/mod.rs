//! What the project promises about its own code and documents, and no compiler looks at.

mod citations;
mod floors;
mod repository;
mod rules;
mod statements;
