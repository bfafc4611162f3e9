//! Clean load experiments: isolate, load, measure, restore.
