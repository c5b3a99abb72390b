//! Medians and ratios of paired runs, and the table that shows them.

use std::fmt;
use std::time::Duration;

/// Two commands run in turns.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) ours: Vec<f64>,
    pub(crate) theirs: Vec<f64>,
}

/// Runs two things in turns, `count` times, the first one alternating; one unmeasured round warms up.
pub(crate) fn paired(
    count: usize,
    mut ours: impl FnMut() -> anyhow::Result<Duration>,
    mut theirs: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<Pair> {
    ours()?;
    theirs()?;
    let mut pair = Pair {
        ours: Vec::new(),
        theirs: Vec::new(),
    };
    for round in 0..count {
        let (our, their) = if round % 2 == 0 {
            let our = ours()?;
            (our, theirs()?)
        } else {
            let their = theirs()?;
            (ours()?, their)
        };
        pair.ours.push(our.as_secs_f64());
        pair.theirs.push(their.as_secs_f64());
    }
    Ok(pair)
}

/// The middle of some numbers; 0 of none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    quantile(numbers, 0.5)
}

/// The number below which a share of the numbers lies.
pub(crate) fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1) as f64;
    let (low, high) = ((last * share).floor(), (last * share).ceil());
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(0.0);
    at(low) + (at(high) - at(low)) * (last * share - low)
}

impl Pair {
    /// How many times faster ours is, pair by pair.
    fn ratios(&self) -> Vec<f64> {
        self.theirs
            .iter()
            .zip(&self.ours)
            .map(|(their, our)| their / our)
            .collect()
    }
}

/// Rows of a markdown table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a paired measurement.
    pub(crate) fn pair(&mut self, what: &str, pair: &Pair) {
        let ratios = pair.ratios();
        let row = [
            what.to_owned(),
            seconds(median(&pair.ours)),
            seconds(median(&pair.theirs)),
            format!(
                "**{:.2}×** ({:.2}–{:.2}, n = {})",
                median(&ratios),
                quantile(&ratios, 0.0),
                quantile(&ratios, 1.0),
                ratios.len()
            ),
        ];
        self.push(row);
    }

    /// Adds a figure that stands alone.
    pub(crate) fn value(&mut self, what: &str, value: &str) {
        self.push([what.to_owned(), value.to_owned(), String::new(), String::new()]);
    }

    /// Adds the median and range of some durations in seconds.
    pub(crate) fn times(&mut self, what: &str, times: &[f64]) {
        let value = format!(
            "{} ({}–{}, n = {})",
            seconds(median(times)),
            seconds(quantile(times, 0.0)),
            seconds(quantile(times, 1.0)),
            times.len()
        );
        self.value(what, &value);
    }

    fn push(&mut self, row: [String; 4]) {
        eprintln!("{}", row.join(" | "));
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| What | vole | the other | faster |\n|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

fn seconds(time: f64) -> String {
    if time < 1.0 {
        format!("{:.0} ms", time * 1e3)
    } else {
        format!("{time:.2} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[1.0, 2.0]) - 1.5).abs() < 1e-9);
        assert!((quantile(&[1.0, 2.0, 3.0], 1.0) - 3.0).abs() < 1e-9);
        assert!(median(&[]).abs() < 1e-9);
    }
}
