//! How long a segment waits after a failed try: capped exponential growth with full jitter.
//!
//! Jitter keeps a fleet that lost its store at one moment from coming back at one moment. What
//! somebody must repair waits near the cap from the start. There is no last try.

use super::Pace;
use std::time::Duration;

/// The wait before try number `tries + 1`, where `tries` tries have failed; `dice` is in `0..1`.
#[must_use]
pub fn soon(pace: &Pace, tries: u32, dice: f64) -> Duration {
    let doublings = tries.saturating_sub(1).min(32);
    let ceiling = pace.base.as_secs_f64() * f64::from(2_u32).powi(doublings.cast_signed());
    seconds(ceiling.min(pace.cap.as_secs_f64()) * dice)
}

/// The wait for what somebody must repair: the cap, give or take a tenth.
#[must_use]
pub fn slow(pace: &Pace, dice: f64) -> Duration {
    seconds(pace.cap.as_secs_f64() * (0.9 + 0.2 * dice))
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_half_a_second_to_a_minute_and_stays_there() {
        let pace = Pace::default();
        let longest: Vec<f64> =
            (1..=9).map(|tries| soon(&pace, tries, 1.0).as_secs_f64()).collect();
        assert_eq!(longest, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(soon(&pace, u32::MAX, 1.0), pace.cap);
    }

    #[test]
    fn the_dice_decide_over_the_whole_wait() {
        let pace = Pace::default();
        assert_eq!(soon(&pace, 5, 0.0), Duration::ZERO);
        assert_eq!(soon(&pace, 5, 0.5), Duration::from_secs(4));
    }

    #[test]
    fn what_somebody_must_repair_is_tried_about_once_a_minute() {
        let pace = Pace::default();
        assert_eq!(slow(&pace, 0.0), Duration::from_secs(54));
        assert_eq!(slow(&pace, 1.0), Duration::from_secs(66));
    }
}
