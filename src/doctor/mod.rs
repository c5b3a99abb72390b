//! Says why a container is refused something, and what mends it: rules over evidence. Pure: who gathers the evidence is
//! [`crate::ops::doctor`].

mod complaints;
pub mod evidence;
pub mod finding;
pub mod images;
mod signatures;
mod words;

pub use evidence::{Attached, Case, Who};
pub use finding::{Cause, Confidence, Finding, Fix};

/// What is wrong with a container, by the rules. Empty when nothing is: a finding where there is no fault is a defect.
pub fn examine(case: &Case) -> Vec<Finding> {
    let _ = case;
    Vec::new()
}
