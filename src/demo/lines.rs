//! Lines of the logs, dumps and tables in the demo's files: each a function of a seed and a moment. Knows
//! nothing of files.

use time::OffsetDateTime;

use super::contents::mix;

/// A kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// A web server's requests.
    Access,
    /// A web application's log.
    App,
    /// A PostgreSQL server's log.
    Postgres,
    /// The log of a program that may not write.
    Crash,
    /// One JSON document per line.
    Json,
    /// A database dump.
    Sql,
    /// A table.
    Csv,
    /// A mail.
    Mail,
}

/// Deterministic choices out of one seed.
#[derive(Debug, Clone)]
struct Choices(u64);

impl Choices {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % below.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let index = self.next(from.len() as u64);
        usize::try_from(index)
            .ok()
            .and_then(|index| from.get(index))
            .copied()
            .unwrap_or("")
    }
}

const PATHS: &[&str] = &[
    "/",
    "/cart",
    "/checkout",
    "/api/v2/products",
    "/api/v2/orders",
    "/search",
    "/login",
    "/uploads/2026/teapot.jpg",
    "/static/app.4f1c2a.js",
    "/healthz",
];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)",
    "curl/8.14.1",
    "kube-probe/1.33",
];
const TABLES: &[&str] = &["orders", "customers", "products", "carts", "payments"];
const WORDS: &[&str] = &[
    "invoice", "delivery", "teapot", "garden", "winter", "reply", "meeting", "photos", "receipt", "order",
];

impl Lines {
    /// A block of exactly `room` bytes of whole lines, written between `start` and `start + seconds`.
    pub(super) fn block(self, seed: u64, start: i64, seconds: i64, room: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(room);
        let mut choices = Choices(seed);
        loop {
            let written = i64::try_from(out.len()).unwrap_or(0);
            let when = start + seconds * written / i64::try_from(room.max(1)).unwrap_or(1);
            let pad = usize::try_from(choices.next(24)).unwrap_or(0) + 8;
            let line = self.line(choices.clone(), when, pad);
            if out.len() + line.len() + self.last_room() <= room {
                out.extend_from_slice(line.as_bytes());
                choices.next(2);
                continue;
            }
            let left = room - out.len();
            let bare = self.line(choices.clone(), when, 0).len();
            let mut last = self.line(choices, when, left.saturating_sub(bare)).into_bytes();
            if last.len() != left {
                last.resize(left, b' ');
                if let Some(end) = last.last_mut() {
                    *end = b'\n';
                }
            }
            out.extend_from_slice(&last);
            return out;
        }
    }

    /// What a block keeps free for its last line, in bytes: as much as the longest one without padding.
    fn last_room(self) -> usize {
        match self {
            Self::Access => 215,
            Self::App | Self::Postgres | Self::Crash | Self::Json | Self::Sql | Self::Csv | Self::Mail => 130,
        }
    }

    /// The length of every line of [`Self::tail`], in bytes.
    pub(super) fn tail_len(self) -> u64 {
        192
    }

    /// Line `index` of those that a growing file gains.
    pub(super) fn tail(self, index: u64, when: i64) -> Vec<u8> {
        let room = usize::try_from(self.tail_len()).unwrap_or(0);
        self.block(mix(0x7a11 + index), when, 0, room)
    }

    /// One line with `pad` bytes that mean nothing.
    fn line(self, mut c: Choices, when: i64, pad: usize) -> String {
        let stamp = Stamp::at(when);
        let hex = hex(c.0, pad);
        match self {
            Self::Access => format!(
                "198.51.100.{} - - [{}] \"{} {}?ref={hex} HTTP/1.1\" {} {} \"{}\"\n",
                c.next(254) + 1,
                stamp.web(),
                c.pick(&["GET", "GET", "GET", "POST"]),
                c.pick(PATHS),
                c.pick(&["200", "200", "200", "304", "404", "502"]),
                c.next(90_000) + 120,
                c.pick(AGENTS),
            ),
            Self::App => format!(
                "{} {} request={hex} {} {} took {} ms\n",
                stamp.iso(),
                c.pick(&["INFO ", "INFO ", "INFO ", "WARN ", "ERROR"]),
                c.pick(&["POST", "GET"]),
                c.pick(PATHS),
                c.next(900) + 3,
            ),
            Self::Postgres => format!(
                "{} UTC [{}] LOG:  duration: {}.{:03} ms  statement: SELECT * FROM {} WHERE token = '{hex}'\n",
                stamp.spaced(),
                c.next(400) + 60,
                c.next(40),
                c.next(1000),
                c.pick(TABLES),
            ),
            Self::Crash => format!(
                "{} ERROR EACCES: permission denied, open '/var/lib/ghost/content/data/{hex}.tmp' (uid 999); exiting\n",
                stamp.iso(),
            ),
            Self::Json => format!(
                "{{\"time\":\"{}\",\"level\":\"{}\",\"path\":\"{}\",\"status\":{},\"trace\":\"{hex}\"}}\n",
                stamp.iso(),
                c.pick(&["info", "info", "warn", "error"]),
                c.pick(PATHS),
                c.pick(&["200", "201", "404", "500"]),
            ),
            Self::Sql => format!(
                "INSERT INTO {} VALUES ({}, 'customer{}@example.org', {}.{:02}, '{hex}');\n",
                c.pick(TABLES),
                c.next(900_000) + 1,
                c.next(4_211),
                c.next(400),
                c.next(100),
            ),
            Self::Csv => format!(
                "{},{},{},{}.{:02},{hex}\n",
                stamp.iso(),
                c.next(90_000) + 1,
                c.pick(WORDS),
                c.next(400),
                c.next(100),
            ),
            Self::Mail => format!("> {} {} {} {hex}\n", c.pick(WORDS), c.pick(WORDS), c.pick(WORDS)),
        }
    }
}

/// A moment, for log lines.
struct Stamp(OffsetDateTime);

impl Stamp {
    fn at(seconds: i64) -> Self {
        Self(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    fn spaced(&self) -> String {
        let t = self.0;
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }

    fn iso(&self) -> String {
        self.spaced().replace(' ', "T") + "Z"
    }

    fn web(&self) -> String {
        let t = self.0;
        let month = t.month().to_string();
        format!(
            "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000",
            t.day(),
            month.get(..3).unwrap_or(&month),
            t.year(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }
}

/// `len` hexadecimal digits out of a seed.
pub(super) fn hex(seed: u64, len: usize) -> String {
    let mut out = String::with_capacity(len + 16);
    let mut state = seed;
    while out.len() < len {
        state = mix(state);
        out.push_str(&format!("{state:016x}"));
    }
    out.truncate(len);
    out
}
