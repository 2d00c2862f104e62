//! The copy loops.
