//! What was collected, kept in Parquet by workload and day.
