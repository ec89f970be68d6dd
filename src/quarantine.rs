//! quarantine: see ARCHITECTURE.md.
