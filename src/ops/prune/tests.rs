//! Plans over hand-made evidence.
