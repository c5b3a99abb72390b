//! Hostile text on its way to a screen: control characters, bidirectional overrides and bytes that are no
//! UTF-8 become visible and harmless. The only door between outside names and a terminal.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;
use vole_agent::proto::Fault;

/// Whether a character may not reach a terminal as it is: controls, bidirectional controls and invisible formatting that can disguise a name.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Makes bytes printable: what is hostile becomes `\xNN`, `\n`, `\t`, `\r`, `\e` or `\u{…}`; a backslash stays as it is.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_printable(&mut out, c);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// What an agent could not do, with the path in its mount that it is about, printable.
pub fn fault(fault: &Fault) -> String {
    match fault.path.as_slice() {
        [] => fault.message.clone(),
        path => format!("{}: {}", printable(path), fault.message),
    }
}

/// Makes text printable, see [`printable`].
pub fn printable_str(text: &str) -> String {
    printable(text.as_bytes())
}

fn push_printable(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        '\u{1b}' => out.push_str("\\e"),
        c if is_hostile(c) && (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if is_hostile(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
        c => out.push(c),
    }
}

/// Terminal columns of printable text.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts printable text to at most `columns`, ending in `…` when something was cut; whole graphemes only.
pub fn fit(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(ellipsis));
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let w = width(grapheme);
        if used + w > room {
            break;
        }
        used += w;
        out.push_str(grapheme);
    }
    if width(ellipsis) <= columns {
        out.push_str(ellipsis);
    }
    out
}

/// Cuts printable text at its start, keeping its end (what is being typed).
pub fn fit_tail(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(ellipsis));
    let mut used = 0;
    let mut start = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += width(grapheme);
        if used > room {
            break;
        }
        start = at;
    }
    let ellipsis = if width(ellipsis) <= columns { ellipsis } else { "" };
    format!("{ellipsis}{}", &text[start..])
}

/// Cuts printable text in its middle, keeping both ends (long paths, hashes).
pub fn fit_middle(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(ellipsis));
    let head = fit(text, room.div_ceil(2), "");
    let mut tail: Vec<&str> = Vec::new();
    let mut used = width(&head);
    for grapheme in text.graphemes(true).rev() {
        let w = width(grapheme);
        if used + w > room {
            break;
        }
        used += w;
        tail.push(grapheme);
    }
    tail.reverse();
    if width(ellipsis) > columns {
        return head;
    }
    format!("{head}{ellipsis}{}", tail.concat())
}

/// Breaks printable text into parts of at most so many columns, preferably behind a space, a slash or a comma.
pub fn wrap(value: &str, columns: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = value;
    while width(rest) > columns {
        let head = fit(rest, columns, "");
        let cut = head
            .rfind([' ', '/', ','])
            .map(|at| at + 1)
            .filter(|at| *at > head.len() / 3)
            .unwrap_or(head.len());
        // A grapheme wider than the whole width still has to move on.
        let cut = if cut == 0 {
            rest.chars().next().map_or(rest.len(), char::len_utf8)
        } else {
            cut
        };
        parts.push(rest[..cut].trim_end().to_owned());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

/// Bytes in base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = (bits >> (18 - 6 * at)) as usize & 63;
            out.push(if at > chunk.len() {
                '='
            } else {
                char::from(ALPHABET[sextet])
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_loses_nothing_and_keeps_the_width() {
        let path = "/var/lib/docker/volumes/shop_db/_data and 日本語日本語日本語";
        for columns in 1..40 {
            let parts = wrap(path, columns);
            assert!(
                columns < 2 || parts.iter().all(|part| width(part) <= columns),
                "{columns}: {parts:?}"
            );
            assert_eq!(parts.concat().replace(' ', ""), path.replace(' ', ""));
        }
    }

    #[test]
    fn nothing_hostile_gets_through() {
        let shown = printable(b"a\x1b[31m\x07\n\xff\xc2\x9b\xe2\x80\xaegpj");
        assert_eq!(shown, "a\\e[31m\\x07\\n\\xff\\x9b\\u{202e}gpj");
        assert!(shown.chars().all(|c| !c.is_control()));
    }

    #[test]
    fn cutting_counts_columns_and_keeps_graphemes() {
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(fit("abc", 3, "…"), "abc");
        assert_eq!(fit_middle("abcdefghij", 5, "…"), "ab…ij");
        assert_eq!(fit_tail("abc日本", 5, "…"), "…日本");
        assert_eq!(fit("👩‍👩‍👧xyz", 3, "…"), "👩‍👩‍👧…");
        assert_eq!(fit("abc", 0, "…"), "");
    }

    #[test]
    fn base64_as_rfc_4648_has_it() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
