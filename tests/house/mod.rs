//! What the project promises about its own code and documents, and no compiler looks at.

mod citations;
mod commands;
mod floors;
mod pages;
mod repository;
mod rules;
mod statements;
mod told;
