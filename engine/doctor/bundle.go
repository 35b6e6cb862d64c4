package doctor

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/secret"
)

// member is one file of a bundle.
type member struct {
	name string
	text []byte
}

// Bundle is what a bundle is made of.
type Bundle struct {
	Version  string
	Findings []Finding
	Project  *config.Project
	Env      func(string) (string, bool) // where secrets are looked for first
}

// WriteBundle writes what a bug report needs into a new file of mode 0600.
// Every secret that this machine knows is masked, also where someone wrote one
// into a file.
func WriteBundle(ctx context.Context, file string, in Bundle) (err error) {
	p := in.Project
	mask, err := everySecret(p, in.Env)
	if err != nil {
		return err
	}
	var members []member
	add := func(name string, v any) {
		b, jerr := json.MarshalIndent(v, "", "  ")
		err = errors.Join(err, jerr)
		members = append(members, member{name, b})
	}
	add("doctor.json", in.Findings)
	add("versions.json", map[string]string{"redundctl": in.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	add("problems.json", p.Problems)
	members = append(members, projectFiles(p)...)
	if h, herr := engine.OpenHistory(ctx, p); herr == nil {
		defer h.Close()
		runs, _ := h.Runs(ctx, history.Filter{Limit: 200})
		shapes := []api.Run{}
		for _, r := range runs {
			shapes = append(shapes, api.Of(r))
		}
		add("runs.json", shapes)
		members = append(members, logTail(ctx, h.Logs))
	}
	if err != nil {
		return fmt.Errorf("making the bundle: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing the bundle: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	for _, m := range members {
		text := []byte(mask.Mask(string(m.text)))
		h := &tar.Header{Name: "redundctl/" + m.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
		if _, err := t.Write(text); err != nil {
			return fmt.Errorf("writing the bundle: %w", err)
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// everySecret masks what any pipeline of the project declares.
func everySecret(p *config.Project, env func(string) (string, bool)) (*secret.Masker, error) {
	m := secret.NewMasker()
	src := p.Secrets(env)
	for _, x := range p.Pipelines {
		for _, name := range x.Secrets {
			v, _, err := src.Lookup(name)
			if err != nil {
				return nil, fmt.Errorf("reading the secrets to be masked: %w", err)
			}
			m.Add(v)
		}
	}
	return m, nil
}

func projectFiles(p *config.Project) []member {
	var out []member
	names := []string{p.ConfigFile}
	for _, x := range p.Pipelines {
		names = append(names, x.File)
	}
	for _, n := range names {
		if b, err := os.ReadFile(filepath.Join(p.Root, n)); err == nil && len(b) < 1<<20 {
			out = append(out, member{"files/" + filepath.ToSlash(n), b})
		}
	}
	return out
}

func logTail(ctx context.Context, d *logs.Dir) member {
	var text []byte
	_ = d.Read(ctx, logs.Query{Limit: 1000}, func(l logs.Line) error {
		b, err := json.Marshal(api.LineOf(l))
		text = append(append(text, b...), '\n')
		return err
	})
	return member{"logs.jsonl", text}
}
