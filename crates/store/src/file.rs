//! One file of runs.
//!
//! A row is a run. The runs of a file are in order of workload, metric and start, and a workload is in one row group, so that
//! one workload is read without the others.

mod read;
mod write;

pub(crate) use read::{Reader, runs_of_workload};
pub(crate) use write::Writer;

/// The columns, as `list` columns are written by other tools, so that these read them.
const SCHEMA: &str = "message mora_runs {
    required binary workload (STRING);
    required binary metric (STRING);
    required binary container (STRING);
    required binary subject (STRING);
    required int64 start_second;
    required int32 step_seconds;
    required group values (LIST) {
        repeated group list {
            optional double element;
        }
    }
}";

/// Values from which on a row group is full; the last workload may make it larger.
pub(crate) const VALUES_PER_GROUP: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::What;
    use crate::runs::Run;
    use mora_core::WorkloadRef;
    use proptest::prelude::*;

    fn runs() -> impl Strategy<Value = Vec<Run>> {
        let values = proptest::collection::vec(proptest::option::of(-1e12f64..1e12), 1..40);
        let run = (0..4usize, 0..3usize, -1_000_000i64..4_000_000_000, 1u32..90_000, values);
        proptest::collection::vec(run, 0..60).prop_map(|all| {
            let mut runs: Vec<Run> = all
                .into_iter()
                .map(|(workload, pod, start, step, values)| Run {
                    workload: WorkloadRef::deployment("shop", &format!("w{workload}")).unwrap(),
                    what: What::Cpu { container: "server".to_owned(), pod: format!("p{pod}") },
                    start,
                    step,
                    values,
                })
                .collect();
            runs.sort_by(|a, b| a.order().cmp(&b.order()));
            runs
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(runs in runs(), group in 1usize..200) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.parquet");
            let mut writer = Writer::create(&path, group).unwrap();
            for run in &runs {
                writer.add(run.clone()).unwrap();
            }
            writer.finish().unwrap();
            let mut reader = Reader::open(&path).unwrap();
            let mut read = Vec::new();
            while let Some(run) = reader.next().unwrap() {
                read.push(run);
            }
            prop_assert_eq!(&read, &runs);
            for workload in ["shop/w0", "shop/w3", "shop/none"] {
                let workload = workload.parse().unwrap();
                let expected: Vec<Run> =
                    runs.iter().filter(|run| run.workload == workload).cloned().collect();
                prop_assert_eq!(runs_of_workload(&path, &workload).unwrap(), expected);
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_short_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        Writer::create(&path, 10).unwrap().finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = Reader::open(&path).err().unwrap().to_string();
        assert!(error.contains("is damaged"), "{error}");
        let missing = Reader::open(&folder.path().join("b.parquet")).err().unwrap().to_string();
        assert!(missing.contains("cannot be read"), "{missing}");
    }
}
