//! What the project promises about its own code and documents.

mod floors;
