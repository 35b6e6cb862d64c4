package convert

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// secretName reports whether a variable of that name usually holds a secret.
func secretName(name string) bool {
	var words []string
	word := ""
	lower := false
	for _, r := range name {
		up := r >= 'A' && r <= 'Z'
		if r == '_' || r == '-' || r == '.' || up && lower {
			words, word = append(words, strings.ToUpper(word)), ""
		}
		if r != '_' && r != '-' && r != '.' {
			word += string(r)
		}
		lower = r >= 'a' && r <= 'z'
	}
	words = append(words, strings.ToUpper(word))
	return slices.ContainsFunc(words, func(w string) bool {
		switch w {
		case "PASS", "PASSWD", "PASSPHRASE", "PRIVATE", "DSN", "JWT", "COOKIE", "SALT", "WEBHOOK", "CREDENTIAL", "CREDENTIALS", "KEYS", "TOKENS", "SECRETS", "PAT":
			return true
		}
		for _, end := range []string{"TOKEN", "SECRET", "PASSWORD", "KEY"} {
			if strings.HasSuffix(w, end) {
				return true
			}
		}
		return false
	})
}

// secretLike is what secrets of well-known services begin with or look like.
var secretLike = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(gh[pousr]_|github_pat_|glpat-|sk-|sk_live_|sk_test_|rk_live_|xox[abprs]-|AKIA[0-9A-Z]{12}|npm_|SG\.|-----BEGIN )` +
		`|^eyJ[\w-]+\.[\w-]+\.|://[^/@:\s]*:[^/@\s]+@|^https://hooks\.slack\.com/`)
})

// secretText reports whether a text looks like a secret, whatever it is called.
func secretText(s string) bool { return secretLike().MatchString(s) }

// secret reports whether a variable must not be copied.
func secret(name string, v *literal.Value) bool {
	if v.Kind == literal.Number { // a password may be one; the lifetime of a token is none
		return len(v.Show()) >= least && secretName(name[strings.LastIndexAny(name, "_-.")+1:])
	}
	return v.Kind == literal.String && v.Text != "" && (secretName(name) || secretText(v.Text))
}

// passed are the variables that every step gets of the engine's environment.
func passed(name string) bool {
	return slices.Contains(pipeline.Passed(), name)
}

// plain writes a text so that no expression is read in it.
func plain(s string) string { return strings.ReplaceAll(s, "${{", "${{ '$' }}{{") }

// Process is the name of an application as `primary.pm2.process` has it: no
// expression is read in it.
func Process(name string) string { return plain(name) }

// unread is a text for people, in which no expression may stand.
func unread(s string) string { return strings.ReplaceAll(s, "${{", "$ {{") }

// quoted is a text as one of an expression.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// expression writes a text that is made with variables. Those that usually hold
// no secret and have a default are inherited, unless the file reads some from a
// .env file, which is read for secrets alone; all others are secrets. A default
// is kept where it hides nothing.
func (a *app) expression(name string, v *literal.Value) string {
	var b strings.Builder
	for _, p := range v.Parts {
		if p.Variable == "" {
			b.WriteString(plain(p.Text))
			continue
		}
		if !kind.VariableName(p.Variable) {
			continue
		}
		open := p.Text != "" && !secretName(p.Variable) && !secretName(name) && !secretText(p.Text)
		from := "secrets." + p.Variable
		if passed(p.Variable) || open && !a.Loads {
			from = "env." + p.Variable
			a.inherit(p.Variable)
		} else {
			a.secret(p.Variable)
		}
		if open {
			from += " || " + quoted(p.Text)
		}
		b.WriteString("${{ " + from + " }}")
	}
	return b.String()
}

func (a *app) secret(name string) {
	if !slices.Contains(a.out.Secrets, name) {
		a.out.Secrets = append(a.out.Secrets, name)
		slices.Sort(a.out.Secrets)
	}
}

func (a *app) inherit(name string) {
	if !slices.Contains(a.inherited, name) {
		a.inherited = append(a.inherited, name)
	}
}
