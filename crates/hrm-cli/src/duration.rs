//! Lengths of time, as people say them.

use std::time::Duration;

/// A length of time in its two largest units: `5 s`, `1 min 05 s`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {:02} s", seconds % 60),
        (0, ..) => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units() {
        let text = |s| in_words(Duration::from_secs(s));
        assert_eq!([text(5), text(65), text(3725)], ["5 s", "1 min 05 s", "1 h 02 min"]);
        assert_eq!([text(86_399), text(187_200)], ["23 h 59 min", "2 d 4 h"]);
    }
}
