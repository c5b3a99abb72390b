//! Ids that nobody else has, and the stored id by which an engine is known again. Asks no engine.

use std::fs::File;
use std::io::{self, Read};

/// A random id of 16 hexadecimal digits.
///
/// # Errors
///
/// When the system's source of randomness cannot be read.
pub fn random_id() -> io::Result<String> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
