package schema

import "github.com/redundctl/redundctl/schema/internal/decode"

// Decode copies a decoded value (maps, lists, texts, numbers) into the struct
// that out points to, by its json tags. Keys without a field are left out. A
// number or a boolean becomes text where text is wanted, nothing becomes the
// zero value, and a single value becomes a list of one where a list is wanted.
// encoding.TextUnmarshaler is honoured. The error names the path.
func Decode(v, out any) error { return decode.Into(v, out) }

// Decode is the function Decode, for many values of the same few structs.
func (s *Set) Decode(v, out any) error { return s.decoder.Into(v, out) }

// Undecodable takes an error of Decode apart: where the value stands, and what
// is wrong with it.
func Undecodable(err error) (path []any, what string) { return decode.Apart(err) }
