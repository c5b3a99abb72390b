//! Sightings as a sentence. Its texts stay hostile: whoever shows it makes them harmless.

use time::OffsetDateTime;

use super::{Sighting, Use};
use crate::core::figures;

/// Digits of an image's digest that people read.
const DIGEST: usize = 12;

impl Sighting {
    /// What was seen, for a sentence: `used by shop-db-1 (postgres:15, service db) 3d ago`. Hostile text.
    pub fn words(&self, now: OffsetDateTime) -> String {
        match (&self.used, &self.attached) {
            (Some(used), None) => format!("used by {}", used.words(now)),
            (None, Some(attached)) => format!("was attached to stopped container {}", attached.words(now)),
            (Some(used), Some(attached)) => format!(
                "used by {}, and attached to stopped container {}",
                used.words(now),
                attached.words(now)
            ),
            (None, None) => "not known".to_owned(),
        }
    }
}

impl Use {
    fn words(&self, now: OffsetDateTime) -> String {
        let image = Some(image(&self.image)).filter(|image| !image.is_empty());
        let service = self.service.as_ref().map(|service| format!("service {service}"));
        let what: Vec<String> = image.into_iter().chain(service).collect();
        let what = match what.as_slice() {
            [] => String::new(),
            what => format!(" ({})", what.join(", ")),
        };
        format!("{}{what} {}", self.container, figures::ago(now, self.at))
    }
}

/// An image's reference with its digest cut short.
fn image(reference: &str) -> String {
    match reference.split_once("sha256:") {
        Some((before, digest)) => {
            let digest: String = digest.chars().take(DIGEST).collect();
            format!("{before}sha256:{digest}")
        }
        None => reference.to_owned(),
    }
}
