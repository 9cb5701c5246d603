//! How often a test fails, as far as its rounds can tell.

/// The quantile of the normal distribution that leaves 2.5 % on each side.
const Z: f64 = 1.959_963_984_540_054;

/// The rate as a sentence, with an interval that holds the true rate in 95 % of all hunts.
pub(crate) fn rate(failed: usize, rounds: usize) -> String {
    let of = format!("{failed} of {rounds}");
    if failed == 0 {
        // Upwards: a bound that is rounded down holds less often than it says.
        let bound = percent((at_most(rounds) * 1000.0).ceil() / 1000.0);
        return format!("{of}: fails in less than {bound} of all rounds (95 %)");
    }
    let (least, most) = wilson(failed, rounds);
    format!("{of}: fails in {} to {} of all rounds (95 %)", percent(least), percent(most))
}

/// Wilson's score interval. It holds for few failures too, where the usual `p ± 1.96 s` reaches
/// below zero. (E. B. Wilson, Journal of the American Statistical Association 22, 1927)
fn wilson(failed: usize, rounds: usize) -> (f64, f64) {
    let (n, p) = (rounds as f64, failed as f64 / rounds as f64);
    let (middle, spread) =
        (p + Z * Z / (2.0 * n), (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt());
    let scale = 1.0 + Z * Z / n;
    (((middle - Z * spread) / scale).max(0.0), ((middle + Z * spread) / scale).min(1.0))
}

/// The highest rate at which a hunt still stays without a failure in one of twenty cases. "Three by
/// the number of rounds" is the rule of thumb for it.
fn at_most(rounds: usize) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / rounds as f64)
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    // A tenth is enough to read, until it would say "0.0 %" of what does happen.
    if percent >= 0.1 || percent == 0.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.3} %")
    }
}

#[cfg(test)]
mod tests {
    use super::{at_most, rate, wilson};

    /// From Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    #[test]
    fn the_interval_is_the_published_one() {
        for (failed, rounds, least, most) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (low, high) = wilson(failed, rounds);

            assert!((low - least).abs() < 5e-5, "{failed}/{rounds}: {low}");
            assert!((high - most).abs() < 5e-5, "{failed}/{rounds}: {high}");
        }
    }

    #[test]
    fn no_failure_bounds_the_rate_as_the_rule_of_three_says() {
        for rounds in [50, 200, 1000] {
            let (exact, rule) = (at_most(rounds), 3.0 / rounds as f64);

            assert!(exact < rule && exact > rule * 0.95, "{exact} and {rule}");
        }
    }

    #[test]
    fn the_sentence_has_both_ends() {
        assert_eq!(rate(3, 200), "3 of 200: fails in 0.5 % to 4.3 % of all rounds (95 %)");
        assert_eq!(rate(0, 200), "0 of 200: fails in less than 1.5 % of all rounds (95 %)");
        assert_eq!(rate(5, 5), "5 of 5: fails in 56.6 % to 100.0 % of all rounds (95 %)");
        assert_eq!(rate(1, 50_000), "1 of 50000: fails in 0.000 % to 0.011 % of all rounds (95 %)");
    }
}
