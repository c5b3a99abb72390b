//! The pure core: state, messages, effects, keymap. No I/O, no clock, no randomness: time comes in a message.

pub mod action;
