package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// blockLength is that of the blocks which Prometheus compacts to with its retention of 15 days.
const blockLength = int64(18 * 3600 * 1000)

// data writes the series of shape as blocks of a Prometheus below out.
func data(shape Shape, out string) error {
	folder := filepath.Join(out, "prometheus")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	series, started := shape.cluster().series(), time.Now()
	from := (shape.Now - int64(shape.Days)*86400 - 3600) * 1000
	to := (shape.Now + int64(shape.Ahead)*3600) * 1000
	total := 0
	for start := from / blockLength * blockLength; start <= to; start += blockLength {
		count, err := block(series, folder, start+blockLength)
		if err != nil {
			return err
		}
		total += count
		fmt.Fprintf(os.Stderr, "bench-scan: %d series, %d samples, %.0f s\n", len(series), total, time.Since(started).Seconds())
	}
	return shape.save(out)
}

// block writes what the series have before end.
func block(series []*Series, folder string, end int64) (int, error) {
	// A writer takes samples no older than half its length before the newest, and series come one after the other.
	writer, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), folder, 2*blockLength)
	if err != nil {
		return 0, err
	}
	defer writer.Close()
	total := 0
	appender := writer.Appender(context.Background())
	for i, one := range series {
		count, err := one.write(appender, end)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", one.labels, err)
		}
		total += count
		if i%500 == 499 {
			if err := appender.Commit(); err != nil {
				return 0, err
			}
			appender = writer.Appender(context.Background())
		}
	}
	if err := appender.Commit(); err != nil || total == 0 {
		return 0, err
	}
	_, err = writer.Flush(context.Background())
	return total, err
}

// write appends the samples before end, and a stale marker where the series itself ends.
func (s *Series) write(to storage.Appender, end int64) (int, error) {
	count, reference := 0, storage.SeriesRef(0)
	for ; !s.ended && s.at < end; s.at += s.step {
		sample := math.Float64frombits(value.StaleNaN)
		if s.at <= s.end {
			sample = s.next(s.at)
		} else {
			s.ended = true
		}
		found, err := to.Append(reference, s.labels, s.at, sample)
		if err != nil {
			return count, err
		}
		reference = found
		count++
	}
	return count, nil
}
