//! Steps of a cursor over lines of which it can stand on some. Knows nothing of what the lines are.

/// The line that so many steps lead to; as far as they go.
pub(super) fn step(at: usize, by: isize, len: usize, stands: impl Fn(usize) -> bool) -> usize {
    let mut at = at;
    for _ in 0..by.unsigned_abs() {
        let next = if by > 0 {
            (at + 1..len).find(|line| stands(*line))
        } else {
            (0..at).rev().find(|line| stands(*line))
        };
        match next {
            Some(line) => at = line,
            None => break,
        }
    }
    at
}

/// The first or the last line that it can stand on.
pub(super) fn edge(last: bool, len: usize, stands: impl Fn(usize) -> bool) -> Option<usize> {
    let mut lines = 0..len;
    if last {
        lines.rfind(|line| stands(*line))
    } else {
        lines.find(|line| stands(*line))
    }
}

/// The steps of half a screen.
pub(super) fn half(height: usize, down: bool) -> isize {
    let by = (height / 2).max(1).cast_signed();
    if down { by } else { -by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_leave_out_what_cannot_be_stood_on_and_end_at_the_edges() {
        let stands = |line: usize| !line.is_multiple_of(3);
        assert_eq!((step(1, 2, 9, stands), step(5, -2, 9, stands)), (4, 2));
        assert_eq!((step(7, 5, 9, stands), step(2, -9, 9, stands)), (8, 1));
        assert_eq!((edge(false, 9, stands), edge(true, 10, stands)), (Some(1), Some(8)));
        assert_eq!((edge(true, 1, stands), step(0, 1, 1, stands)), (None, 0));
        assert_eq!((half(1, true), half(9, false)), (1, -4));
    }
}
