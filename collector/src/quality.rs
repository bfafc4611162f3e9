//! How complete a series is.

use mora_core::Series;

/// Completeness of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Share of steps observed, in [0, 1].
    pub coverage: f64,
    /// Runs of missing steps.
    pub gaps: u32,
    /// Steps of the longest run of missing steps.
    pub longest_gap_steps: u32,
}

/// The completeness of `series`; an empty one has coverage 0 and no gap.
#[must_use]
pub fn quality(series: &Series) -> Quality {
    let runs = series.values().chunk_by(|a, b| a.is_some() == b.is_some());
    let missing: Vec<u32> =
        runs.filter(|run| run[0].is_none()).map(|run| run.len() as u32).collect();
    Quality {
        coverage: series.coverage(),
        gaps: missing.len() as u32,
        longest_gap_steps: missing.iter().copied().max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    fn quality_of(values: &[Option<f64>]) -> Quality {
        quality(&Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values.to_vec()).unwrap())
    }

    #[test]
    fn every_run_of_missing_steps_is_one_gap() {
        let one = Some(1.0);
        let seen = quality_of(&[None, one, None, None, None, one, one, None]);
        assert_eq!((seen.gaps, seen.longest_gap_steps), (3, 3));
        assert!((seen.coverage - 0.375).abs() < 1e-12);
    }

    #[test]
    fn a_complete_and_an_empty_series_have_no_gap() {
        assert_eq!(
            quality_of(&[Some(1.0)]),
            Quality { coverage: 1.0, gaps: 0, longest_gap_steps: 0 }
        );
        assert_eq!(quality_of(&[]), Quality { coverage: 0.0, gaps: 0, longest_gap_steps: 0 });
    }
}
