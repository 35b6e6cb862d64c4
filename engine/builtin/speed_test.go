package builtin_test

import (
	"os"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

// load reads the pipeline of 40 lines that the figures are of.
func load(b *testing.B) map[string]any {
	b.Helper()
	text, err := os.ReadFile("testdata/forty.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var v map[string]any
	if err := yaml.Unmarshal(text, &v); err != nil {
		b.Fatal(err)
	}
	return v
}

func BenchmarkCheck(b *testing.B) {
	s, v := builtin.Kinds().Schemas(), load(b)
	if issues := s.Pipeline(v); len(issues) > 0 {
		b.Fatal(issues)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Pipeline(v)
	}
}

func BenchmarkFirstCheck(b *testing.B) {
	v := load(b)
	for b.Loop() {
		builtin.Kinds().Schemas().Pipeline(v)
	}
}

func BenchmarkFillAndDecode(b *testing.B) {
	s := builtin.Kinds().Schemas()
	v := load(b)
	b.ReportAllocs()
	for b.Loop() {
		s.FillPipeline(v)
		var p pipeline.Pipeline
		if err := schema.Decode(v, &p); err != nil {
			b.Fatal(err)
		}
	}
}
