//! Archives as streams: what is read from them, and that nothing which is not whole passes for it.

pub(crate) mod build;
mod dialects;
mod whole;
