//! tools: see ARCHITECTURE.md.

pub mod inspect;
