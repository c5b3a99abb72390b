//! One header block of a tar, in any dialect: fields and their numbers. Knows nothing of the blocks around it.

use super::damage::Broken;

/// Length of a block.
pub(super) const BLOCK: usize = 512;

/// Where a field stands.
type Field = std::ops::Range<usize>;

const NAME: Field = 0..100;
const MODE: Field = 100..108;
const UID: Field = 108..116;
const GID: Field = 116..124;
const SIZE: Field = 124..136;
const MTIME: Field = 136..148;
const SUM: Field = 148..156;
const TYPE: usize = 156;
const LINK: Field = 157..257;
const MAGIC: Field = 257..263;
const MAJOR: Field = 329..337;
const MINOR: Field = 337..345;
const PREFIX: Field = 345..500;
/// Of a GNU sparse file: four pieces, whether more follow, its real length.
pub(super) const PIECES: Field = 386..482;
pub(super) const MORE: usize = 482;
pub(super) const REAL: Field = 483..495;

/// A block that may be a header.
pub(super) struct Header<'a>(pub(super) &'a [u8; BLOCK]);

impl Header<'_> {
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// Whether the checksum is right, over bytes without a sign or, as some old programs wrote it, with one.
    pub(super) fn check(&self) -> Result<(), Broken> {
        let wanted = number(&self.0[SUM]).map_err(|_| Broken::corrupt("what should be a header is none"))?;
        let blanked = self
            .0
            .iter()
            .enumerate()
            .map(|(at, &byte)| if SUM.contains(&at) { b' ' } else { byte });
        let plain: i64 = blanked.clone().map(i64::from).sum();
        let signed: i64 = blanked.map(|byte| i64::from(byte.cast_signed())).sum();
        if wanted == plain || wanted == signed {
            Ok(())
        } else {
            Err(Broken::corrupt("a header's checksum is wrong"))
        }
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[TYPE]
    }

    fn is_ustar(&self) -> bool {
        self.0[MAGIC] == *b"ustar\0"
    }

    /// The name, with the prefix that POSIX headers have.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[NAME]);
        // Old `star` keeps times behind a shorter prefix.
        let prefix = if self.0[508..512] == *b"tar\0" {
            &self.0[PREFIX.start..PREFIX.start + 131]
        } else {
            &self.0[PREFIX]
        };
        match text(prefix) {
            prefix if self.is_ustar() && !prefix.is_empty() => [prefix, name].join(&b'/'),
            _ => name.to_vec(),
        }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[LINK]).to_vec()
    }

    pub(super) fn mode(&self) -> Result<u32, Broken> {
        // Bits of the file's type, as old programs wrote them too, do not matter.
        Ok(u32::try_from(self.get(MODE, "mode")? & 0o7777).unwrap_or(0))
    }

    pub(super) fn uid(&self) -> Result<u32, Broken> {
        owner(self.get(UID, "owner")?)
    }

    pub(super) fn gid(&self) -> Result<u32, Broken> {
        owner(self.get(GID, "group")?)
    }

    pub(super) fn size(&self) -> Result<u64, Broken> {
        length(self.get(SIZE, "size")?)
    }

    pub(super) fn real_size(&self) -> Result<u64, Broken> {
        length(self.get(REAL, "real size")?)
    }

    pub(super) fn mtime(&self) -> Result<i64, Broken> {
        self.get(MTIME, "time")
    }

    pub(super) fn device(&self) -> Result<(u32, u32), Broken> {
        let part = |field, name| {
            u32::try_from(self.get(field, name)?).map_err(|_| Broken::corrupt("a device number is too large"))
        };
        Ok((part(MAJOR, "device number")?, part(MINOR, "device number")?))
    }

    fn get(&self, field: Field, name: &str) -> Result<i64, Broken> {
        number(&self.0[field]).map_err(|why| Broken::corrupt(format!("a header's {name} {why}")))
    }
}

/// Checks an owner's number.
pub(super) fn owner(number: i64) -> Result<u32, Broken> {
    u32::try_from(number).map_err(|_| Broken::corrupt("an owner's number is no such number"))
}

/// Checks a length: the kernel knows none above `i64::MAX`.
pub(super) fn length(number: i64) -> Result<u64, Broken> {
    u64::try_from(number).map_err(|_| Broken::corrupt("a length is negative"))
}

/// A field's text, which ends at a NUL or with the field.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// A field's number: octal digits, or binary with the first bit set.
pub(super) fn number(field: &[u8]) -> Result<i64, &'static str> {
    const RANGE: &str = "is out of range";
    match field {
        [first, rest @ ..] if first & 0x80 != 0 => {
            // Two's complement; the second bit is the sign.
            let start = i64::from(first & 0x3f) - i64::from(first & 0x40);
            rest.iter().try_fold(start, |value, &byte| {
                value
                    .checked_mul(256)
                    .and_then(|value| value.checked_add(i64::from(byte)))
                    .ok_or(RANGE)
            })
        }
        _ => {
            let start = field.iter().position(|&byte| byte != b' ').unwrap_or(field.len());
            let end = field[start..]
                .iter()
                .position(|&byte| byte == b' ' || byte == 0)
                .map_or(field.len(), |end| start + end);
            field[start..end].iter().try_fold(0_i64, |value, &byte| match byte {
                b'0'..=b'7' => value
                    .checked_mul(8)
                    .and_then(|value| value.checked_add(i64::from(byte - b'0')))
                    .ok_or(RANGE),
                _ => Err("is no number"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_and_never_anything_else() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"   644 \0"), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0"), Ok(0));
        assert_eq!(number(b"77777777777"), Ok(0o77_777_777_777));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\x02"), Ok(258));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Ok(-1));
        assert!(number(b"\x80\x01\0\0\0\0\0\0\0\0\0\0").is_err());
        assert!(number(b"0008\0").is_err());
        assert!(number(b"-1\0").is_err());
        assert!(number(b"7777777777777777777777777").is_err());
    }
}
