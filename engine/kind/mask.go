package kind

import "github.com/redundctl/redundctl/engine/secret"

// Mask gives a function that puts *** in place of the secrets that the pipeline
// declares, in every form: for what a probe was told and hands on in a
// Reading. It knows their values of now.
func (d PrimaryDeps) Mask() func(string) string {
	m := secret.NewMasker()
	for _, name := range d.Pipeline.Secrets {
		if d.Secret == nil {
			break
		}
		if value, ok := d.Secret(name); ok {
			m.Add(value)
		}
	}
	return m.Mask
}
