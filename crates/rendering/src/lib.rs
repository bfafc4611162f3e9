//! A scan report in every format that people and tools read.
