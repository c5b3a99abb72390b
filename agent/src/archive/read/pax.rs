//! Records of extended headers (POSIX.1-2001, pax): read within bounds, kept where they say something of an entry.

use super::acl::{self, List};
use super::damage::Broken;
use super::header::{length, owner};
use crate::proto::Time;

/// Most bytes of one extended header; a file's attributes are 64 KiB at most each.
pub(super) const MOST: u64 = 8 << 20;

const SCHILY: &[u8] = b"SCHILY.xattr.";
const LIBARCHIVE: &[u8] = b"LIBARCHIVE.xattr.";

/// Most bytes of a path; the kernel takes 4096 at once, and deeper trees have longer ones.
pub(super) const NAME_MOST: u64 = 1 << 20;
/// Most extended attributes of an entry: Linux lists 64 KiB of names.
const ATTRIBUTES: usize = 10_000;

/// What extended headers say of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) comment: Option<Vec<u8>>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The access control list, and the one that new entries get, as text says them.
    acl: Option<List>,
    default_acl: Option<List>,
    /// Whether there is a list of a kind that Linux has not.
    other_acl: bool,
    pub(super) sparse: Sparse,
}

/// What GNU's records say of a sparse file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) real: Option<u64>,
    pub(super) pieces: Vec<(u64, u64)>,
    /// Whether there is a map at all, in these records or before the contents.
    pub(super) any: bool,
    /// An offset whose length has not come.
    half: Option<u64>,
}

/// A path, of a length that can be one.
fn name(value: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
    match value.len() as u64 > NAME_MOST {
        true => Err(Broken::corrupt("a name is too long")),
        false => Ok((!value.is_empty()).then(|| value.to_vec())),
    }
}

impl Pax {
    /// Takes the records of a header in.
    pub(super) fn take(&mut self, records: &[u8]) -> Result<(), Broken> {
        let mut rest = records;
        // Some programs fill up with zeros.
        while !rest.is_empty() && rest[0] != 0 {
            let (key, value, after) = record(rest).ok_or_else(|| Broken::corrupt("an extended header is malformed"))?;
            self.set(key, value)?;
            rest = after;
        }
        if self.sparse.half.is_some() {
            return Err(Broken::corrupt("a sparse file's map ends within a piece"));
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Broken> {
        let some = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = name(value)?,
            b"linkpath" => self.link = name(value)?,
            b"comment" => self.comment = some(),
            b"size" => self.size = number(value)?.map(length).transpose()?,
            b"uid" => self.uid = number(value)?.map(owner).transpose()?,
            b"gid" => self.gid = number(value)?.map(owner).transpose()?,
            b"SCHILY.acl.access" => self.acl = some().map(|text| List::read(&text)),
            b"SCHILY.acl.default" => self.default_acl = some().map(|text| List::read(&text)),
            // Of NFSv4: it permits what these cannot say.
            b"SCHILY.acl.ace" => self.other_acl = !value.is_empty(),
            b"mtime" => self.mtime = if value.is_empty() { None } else { Some(time(value)?) },
            _ => {
                if let Some(name) = key.strip_prefix(SCHILY) {
                    self.attribute(unescaped(name), value.to_vec())?;
                } else if let Some(name) = key.strip_prefix(LIBARCHIVE) {
                    let name = unquoted(name);
                    // The same attribute by the other name is raw, and goes before.
                    if !self.xattrs.iter().any(|(known, _)| *known == name) {
                        let value =
                            base64(value).ok_or_else(|| Broken::corrupt("an extended attribute is malformed"))?;
                        self.attribute(name, value)?;
                    }
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.".as_slice()) {
                    self.set_sparse(key, value)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the lists that text says to the attributes; whether something of them is missing there.
    pub(super) fn add_lists(&mut self) -> Result<bool, Broken> {
        let mut cut = self.other_acl;
        // What permission bits say is no list of its own; what new entries get they do not say.
        let access = self.acl.take().map(|list| (acl::ACCESS, list.is_mode(), list));
        let default = self.default_acl.take().map(|list| (acl::DEFAULT, false, list));
        for (name, is_mode, list) in access.into_iter().chain(default) {
            // The attribute itself, where it is there, says all of it.
            if self.xattrs.iter().any(|(known, _)| known == name) {
                continue;
            }
            cut |= list.cut;
            if let Some(value) = list.value.filter(|_| !is_mode) {
                self.attribute(name.to_vec(), value)?;
            }
        }
        Ok(cut)
    }

    fn attribute(&mut self, name: Vec<u8>, value: Vec<u8>) -> Result<(), Broken> {
        let full = self.xattrs.len() >= ATTRIBUTES;
        match self.xattrs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None if full => return Err(Broken::corrupt("too many extended attributes")),
            None => self.xattrs.push((name, value)),
        }
        Ok(())
    }

    fn set_sparse(&mut self, key: &[u8], value: &[u8]) -> Result<(), Broken> {
        let get = || {
            let value = number(value)?.ok_or_else(|| Broken::corrupt("a sparse file's record is empty"))?;
            length(value)
        };
        let sparse = &mut self.sparse;
        sparse.any = true;
        match key {
            b"major" => sparse.major = Some(get()?),
            b"minor" => sparse.minor = Some(get()?),
            b"realsize" | b"size" => sparse.real = Some(get()?),
            // The header's own name is made up.
            b"name" => self.path = name(value)?,
            b"numblocks" => {}
            b"offset" => sparse.half = Some(get()?),
            b"numbytes" => {
                let offset = sparse
                    .half
                    .take()
                    .ok_or_else(|| Broken::corrupt("a sparse file's map has a length without an offset"))?;
                sparse.pieces.push((offset, get()?));
            }
            b"map" => {
                let numbers: Result<Vec<u64>, Broken> = value
                    .split(|&byte| byte == b',')
                    .map(|part| number(part)?.map_or(Ok(0), length))
                    .collect();
                sparse.pieces = numbers?
                    .chunks(2)
                    .map(|pair| match pair {
                        [offset, len] => Ok((*offset, *len)),
                        _ => Err(Broken::corrupt("a sparse file's map ends within a piece")),
                    })
                    .collect::<Result<_, _>>()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first record: `LENGTH KEY=VALUE\n`, where the length counts all of it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let whole = bytes.get(..length)?;
    let body = whole.get(space + 1..)?.strip_suffix(b"\n")?;
    // An attribute's name may hold `=` only if escaped, so the first is the one.
    let equals = body.iter().position(|&byte| byte == b'=')?;
    Some((&body[..equals], &body[equals + 1..], &bytes[length..]))
}

/// A decimal number; none when the record takes one back.
fn number(value: &[u8]) -> Result<Option<i64>, Broken> {
    if value.is_empty() {
        return Ok(None);
    }
    let parsed = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    parsed
        .map(Some)
        .ok_or_else(|| Broken::corrupt("an extended header holds what should be a number and is none"))
}

/// Seconds, with a fraction of any length of which nine digits count, or as Python writes small and large ones: `-1e-09`.
fn time(value: &[u8]) -> Result<Time, Broken> {
    let wrong = || Broken::corrupt("an extended header holds what should be a time and is none");
    let text = std::str::from_utf8(value).map_err(|_| wrong())?;
    match text.split_once(['e', 'E']) {
        None => decimal(text),
        Some((digits, exponent)) => shifted(digits, exponent).and_then(|text| decimal(&text)),
    }
    .ok_or_else(wrong)
}

/// A number with its point moved by an exponent.
fn shifted(digits: &str, exponent: &str) -> Option<String> {
    /// Programs write 17 at most, and a sign, a zero, a point.
    const DIGITS: usize = 30;
    /// Moved further than this no digit is left that counts.
    const MOST: usize = DIGITS + 10;
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || digits.len() > DIGITS {
        return None;
    }
    let exponent: i16 = exponent.parse().ok()?;
    let by = usize::from(exponent.unsigned_abs());
    let (whole, fraction) = if exponent < 0 {
        let zeros = "0".repeat(by.min(MOST));
        let all = format!("{zeros}{whole}");
        let (whole, moved) = all.split_at_checked(all.len() - by.min(MOST))?;
        (whole.to_owned(), format!("{moved}{fraction}"))
    } else {
        let zeros = "0".repeat(by.saturating_sub(fraction.len()).min(MOST));
        let (moved, fraction) = fraction.split_at_checked(by.min(fraction.len()))?;
        (format!("{whole}{moved}{zeros}"), fraction.to_owned())
    };
    Some(format!("{sign}{whole}.{fraction}"))
}

/// A number of seconds without an exponent.
fn decimal(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |value: u32, byte| value * 10 + u32::from(byte - b'0'));
    let secs: i64 = whole.parse().ok()?;
    if whole.starts_with('-') && nanos > 0 {
        return Some(Time {
            secs: secs.checked_sub(1)?,
            nanos: 1_000_000_000 - nanos,
        });
    }
    Some(Time { secs, nanos })
}

/// Undoes `%3D` and `%25`, which GNU tar writes for `=` and `%`; other programs write names as they are.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, tail @ ..] = rest {
        rest = match rest {
            [b'%', b'3', b'D', after @ ..] => {
                out.push(b'=');
                after
            }
            [b'%', b'2', b'5', after @ ..] => {
                out.push(b'%');
                after
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    out
}

/// Undoes `%XX`.
fn unquoted(name: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [a, b, after @ ..]) => match (digit(*a), digit(*b)) {
                (Some(a), Some(b)) => {
                    out.push(a << 4 | b);
                    after
                }
                _ => {
                    out.push(b'%');
                    tail
                }
            },
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    out
}

/// Decodes base 64, with or without padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for &byte in text.iter().take_while(|&&byte| byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pax(records: &[u8]) -> Result<Pax, Broken> {
        let mut pax = Pax::default();
        pax.take(records).map(|()| pax)
    }

    #[test]
    fn records_are_read_by_their_length_whatever_the_value_holds() {
        let read = pax(b"12 path=a\nb\n31 SCHILY.xattr.user.a=x=\n7 \0\n\n").unwrap();
        assert_eq!(read.path.as_deref(), Some(&b"a\nb"[..]));
        assert_eq!(read.xattrs, [(b"user.a".to_vec(), b"x=\n7 \0\n".to_vec())]);
        let foreign = pax(b"38 LIBARCHIVE.xattr.user.%61b=aGVsbG8\n").unwrap();
        assert_eq!(foreign.xattrs, [(b"user.ab".to_vec(), b"hello".to_vec())]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bad in [
            &b"9999999999999999999999 path=a\n"[..],
            b"99 path=a\n",
            b"0 path=a\n",
            b"3 path=a\n",
            b"path=a\n",
            b"10 path=ab",
            b"-9 path=a\n",
            b"11 size=-1\n",
            b"11 size=1x\n",
            b"8 uid=\xff\n",
        ] {
            assert!(pax(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn times_have_nanoseconds_on_both_sides_of_the_epoch() {
        let at = |secs, nanos| Time { secs, nanos };
        assert_eq!(time(b"1.5").unwrap(), at(1, 500_000_000));
        assert_eq!(
            time(b"1234567890.123456789012").unwrap(),
            at(1_234_567_890, 123_456_789)
        );
        assert_eq!(time(b"-1.25").unwrap(), at(-2, 750_000_000));
        assert_eq!(time(b"-0.5").unwrap(), at(-1, 500_000_000));
        assert_eq!(time(b"7").unwrap(), at(7, 0));
        for bad in [&b"x"[..], b"1.x", b"", b"1.-5", b"\xff"] {
            assert!(time(bad).is_err());
        }
    }

    #[test]
    fn times_may_have_an_exponent_as_python_writes_them() {
        let at = |secs, nanos| Time { secs, nanos };
        for (text, wanted) in [
            ("-1e-09", at(-1, 999_999_999)),
            ("1e-09", at(0, 1)),
            ("9.5367431640625e-07", at(0, 953)),
            ("-1.25e-05", at(-1, 999_987_500)),
            ("1e-300", at(0, 0)),
            ("1.5E+3", at(1500, 0)),
            ("1.23456e2", at(123, 456_000_000)),
            ("12e-1", at(1, 200_000_000)),
            ("1e+16", at(10_000_000_000_000_000, 0)),
            ("1e0", at(1, 0)),
        ] {
            assert_eq!(time(text.as_bytes()).unwrap(), wanted, "{text}");
        }
        for bad in [
            "e5", "1e", "1e5e5", "1e300", "-e1", "--1e1", "1e1.5", "1e99999", "1.-5e1", "1.xe-1", ".5e1",
        ] {
            assert!(time(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
