// Package body is the definition of a pipeline as it is kept: compressed.
package body

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
)

// packed begins a body that is kept compressed; JSON never begins so.
const packed = 0x01

// Pack compresses the definition of a pipeline, which repeats itself: of one
// with thousands of steps it would be most of the history.
func Pack(body []byte) ([]byte, error) {
	if len(body) < 1024 {
		return body, nil
	}
	var b bytes.Buffer
	b.WriteByte(packed)
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unpack gives what Pack was given.
func Unpack(kept []byte) ([]byte, error) {
	if len(kept) == 0 || kept[0] != packed {
		return kept, nil
	}
	body, err := io.ReadAll(flate.NewReader(bytes.NewReader(kept[1:])))
	if err != nil {
		return nil, fmt.Errorf("the definition that was kept cannot be read: %w", err)
	}
	return body, nil
}
