use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use mora_core::Step;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

const TIDY: &str = "\
workload,pod,ts,cpu_cores,memory_bytes,request_rate
cart,cart-a,1760000400,0.25,1000,3
cart,cart-a,2025-10-09T09:01:00Z,NaN,1100,4
cart,cart-b,1760000400,0.5,,5
shop/StatefulSet/redis,,1760000460.5,0.125,2000,
";

fn lookback() -> Lookback {
    let at = |second| Timestamp::from_second(second).unwrap();
    Lookback { from: at(1_760_000_400), to: at(1_760_000_700), step: Step::MINUTE }
}

fn config(path: &Path) -> RecordedConfig {
    RecordedConfig {
        path: path.to_owned(),
        namespace: "shop".to_owned(),
        ..RecordedConfig::default()
    }
}

fn open_text(text: &str) -> Result<RecordedSource, RecordedError> {
    open_text_with(text, RecordedColumns::default())
}

fn open_text_with(text: &str, columns: RecordedColumns) -> Result<RecordedSource, RecordedError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.csv");
    std::fs::write(&path, text).unwrap();
    RecordedSource::open(RecordedConfig { columns, ..config(&path) })
}

async fn collect(source: &RecordedSource) -> Vec<Dataset> {
    source.collect(&lookback()).await.unwrap()
}

#[tokio::test]
async fn tidy_csv_becomes_series_by_pod_and_rates_by_workload() {
    let datasets = collect(&open_text(TIDY).unwrap()).await;
    let names: Vec<String> = datasets.iter().map(|d| d.workload.to_string()).collect();
    assert_eq!(names, ["shop/Deployment/cart", "shop/StatefulSet/redis"]);
    let cart = &datasets[0].containers["main"];
    assert_eq!(cart.cpu["cart-a"].values(), [Some(0.25)]);
    assert_eq!(cart.memory["cart-a"].values(), [Some(1000.0), Some(1100.0)]);
    assert!(!cart.memory.contains_key("cart-b"));
    assert_eq!(datasets[0].request_rate.as_ref().unwrap().values(), [Some(8.0), Some(4.0)]);
    assert_eq!(datasets[1].containers["main"].cpu["redis"].start().as_second(), 1_760_000_460);
    assert_eq!(datasets[1].request_rate, None);
}

#[tokio::test]
async fn a_gzip_file_reads_like_the_file_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.csv.gz");
    let mut encoder = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    encoder.write_all(TIDY.as_bytes()).unwrap();
    encoder.finish().unwrap();
    let zipped = RecordedSource::open(config(&path)).unwrap();
    assert_eq!(collect(&zipped).await, collect(&open_text(TIDY).unwrap()).await);
}

#[tokio::test]
async fn foreign_columns_are_mapped_and_scaled() {
    let text = "service,ts,cpu_mcores,mem_mib,req_per_s\ncart,1760000400,250,2,8.6\n";
    let column = |name: &str, scale| Some(Column { name: name.to_owned(), scale });
    let columns = RecordedColumns {
        workload: Some("service".to_owned()),
        cpu: column("cpu_mcores", 0.001),
        memory: column("mem_mib", 1_048_576.0),
        request_rate: column("req_per_s", 1.0),
        ..RecordedColumns::default()
    };
    let datasets = collect(&open_text_with(text, columns).unwrap()).await;
    let usage = &datasets[0].containers["main"];
    assert_eq!(usage.cpu["cart"].values(), [Some(0.25)]);
    assert_eq!(usage.memory["cart"].values(), [Some(2_097_152.0)]);
    assert_eq!(datasets[0].request_rate.as_ref().unwrap().values(), [Some(8.6)]);
}

#[test]
fn a_bad_timestamp_names_its_line_its_text_and_what_is_accepted() {
    let message = open_text("workload,ts,cpu_cores\ncart,1760000400,1\ncart,yesterday,1\n")
        .unwrap_err()
        .to_string();
    for part in ["series.csv", "line 3", "`ts`", "`yesterday`", "RFC 3339", "Unix seconds"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn milliseconds_and_negative_usage_are_refused() {
    let refused = |row: &str| {
        let error = open_text(&format!("workload,ts,cpu_cores\n{row}\n")).unwrap_err();
        matches!(error, RecordedError::Cell { line: 2, .. })
    };
    assert!(refused("cart,1760000400000,1"));
    assert!(refused("cart,1760000400,-1"));
    assert!(refused("cart,1760000400,a lot"));
    assert!(refused("cart,,1"));
    assert!(refused(",1760000400,1"));
}

#[test]
fn a_repeated_instant_names_both_lines() {
    let error =
        open_text("workload,ts,cpu_cores\ncart,60,1\ncart,120,1\ncart,1970-01-01T00:01:00Z,2\n")
            .unwrap_err();
    assert!(matches!(error, RecordedError::Duplicate { first: 2, second: 4, .. }), "{error}");
}

#[test]
fn a_column_that_is_named_but_absent_is_an_error_that_lists_what_is_there() {
    let columns =
        RecordedColumns { pod: Some("instance".to_owned()), ..RecordedColumns::default() };
    let message = open_text_with(TIDY, columns).unwrap_err().to_string();
    assert!(message.contains("`instance`") && message.contains("cpu_cores"), "{message}");
    assert!(message.contains("source.recorded.columns.pod"), "{message}");
    let nothing = open_text("workload,ts,load\ncart,60,1\n").unwrap_err();
    assert!(matches!(nothing, RecordedError::MissingColumn { key: "cpu", .. }));
}

#[test]
fn files_without_rows_or_with_unknown_formats_are_refused() {
    assert!(matches!(
        open_text("workload,ts,cpu_cores\n").unwrap_err(),
        RecordedError::Empty { .. }
    ));
    let unknown = RecordedSource::open(config(Path::new("series.xlsx"))).unwrap_err();
    assert!(matches!(unknown, RecordedError::Format { .. }));
    let absent = RecordedSource::open(config(Path::new("absent.csv"))).unwrap_err();
    assert!(matches!(absent, RecordedError::Read { .. }));
    let ragged = open_text("workload,ts,cpu_cores\ncart,60\n").unwrap_err();
    assert!(matches!(ragged, RecordedError::Csv { .. }));
}

#[tokio::test]
async fn a_lookback_outside_the_recording_says_what_the_recording_holds() {
    let source = open_text(TIDY).unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    let outside = Lookback { from: at(0), to: at(3600), step: Step::MINUTE };
    let message = source.collect(&outside).await.unwrap_err().to_string();
    assert!(
        message.contains("2025-10-09T09:00:00Z") && message.contains("1970-01-01T01:00:00Z"),
        "{message}"
    );
    assert_eq!(source.newest(Timestamp::MAX), at(1_760_000_461));
    assert_eq!(source.newest(at(9)), at(9));
}

const SCHEMA: &str = "message series {
    REQUIRED BYTE_ARRAY workload (UTF8);
    REQUIRED INT64 ts (TIMESTAMP_MILLIS);
    OPTIONAL DOUBLE cpu_cores;
    REQUIRED INT64 memory_bytes;
}";

fn write_parquet(path: &Path) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let names = [ByteArray::from("cart"), ByteArray::from("cart")];
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&names, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let instants = [1_760_000_400_000, 1_760_000_460_000];
    column.typed::<Int64Type>().write_batch(&instants, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[0.25], Some(&[1, 0]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1000, 1100], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

#[tokio::test]
async fn parquet_reads_like_the_same_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.parquet");
    write_parquet(&path);
    let text =
        "workload,ts,cpu_cores,memory_bytes\ncart,1760000400,0.25,1000\ncart,1760000460,,1100\n";
    let recorded = RecordedSource::open(config(&path)).unwrap();
    assert_eq!(collect(&recorded).await, collect(&open_text(text).unwrap()).await);
}
