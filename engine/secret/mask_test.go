package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// every lists what must not be read in an output when value is a secret.
func every(value string) []string {
	out := []string{value, url.QueryEscape(value), url.PathEscape(value), lowerHex(url.QueryEscape(value)), lowerHex(url.PathEscape(value))}
	b, _ := json.Marshal(value)
	out = append(out, string(b[1:len(b)-1]))
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	enc.Encode(value)
	out = append(out, strings.Trim(plain.String(), "\"\n"))
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding} {
		out = append(out, e.EncodeToString([]byte(value)))
	}
	return append(out, strings.Split(value, "\n")...)
}

func TestForms(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"hunter2hunter2", "p@ss w/ord?<&>\"\\é:😀", "line one\nline two\nline three!", "abc", `a\u003cb`} {
		m := NewMasker(value)
		for _, f := range every(value) {
			if got := m.Mask("<" + f + ">"); got != "<***>" {
				t.Errorf("%q as %q became %q", value, f, got)
			}
		}
	}
}

// TestAligned holds that no character of base64 that holds a bit of a secret
// is left, wherever the secret stands in what was encoded.
func TestAligned(t *testing.T) {
	t.Parallel()
	const value = "s3cr3t-Tök€n"
	m := NewMasker(value)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for before := range 7 {
			for after := range 7 {
				front, back := strings.Repeat("\xfb", before), strings.Repeat("\xef", after)
				whole := enc.EncodeToString([]byte(front + value + back))
				from, to := before*8/6, ((before+len(value))*8+5)/6
				tail := whole[to:]
				if after == 0 {
					tail = "" // its padding goes with it
				}
				if got, want := m.Mask(whole), whole[:from]+"***"+tail; got != want {
					t.Errorf("%d before and %d after: %s became %s, not %s", before, after, whole, got, want)
				}
			}
		}
	}
}

// TestLinesOfBase64 holds that no line of base64 that was broken into lines shows a
// secret: `base64` breaks after 76 characters, PEM after 64.
func TestLinesOfBase64(t *testing.T) {
	t.Parallel()
	const value = "tok_A0H1O2V3C4J5Q6X7E8L9S0Z1G2N3U4B5I6P7W8D9K0R1Y2F3M4T5_end-of-a-long-one"
	m := NewMasker(value)
	for _, width := range []int{4, 16, 64, 76} {
		for before := range 90 {
			for _, end := range []string{"\n", "\r\n", "\n    "} {
				whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xfb", before) + value + "\xfb\xef"))
				var b strings.Builder
				for from := 0; from < len(whole); from += width {
					b.WriteString(whole[from:min(from+width, len(whole))] + end)
				}
				text := b.String()
				shown := strings.NewReplacer("\r", "", "\n", "", " ", "").Replace(m.Mask(text))
				// The first three characters are too few to tell, where a line ends after them.
				from, to := before*8/6, ((before+len(value))*8+5)/6
				if want := whole[:from] + "***" + whole[to:]; shown != want && !(len(shown) <= len(want)+3 && strings.HasPrefix(shown, whole[:from]) && strings.HasSuffix(shown, "***"+whole[to:])) {
					t.Fatalf("%d before, lines of %d: %q", before, width, m.Mask(text))
				}
				if !m.Holds(text) {
					t.Fatalf("%d before, lines of %d: not found", before, width)
				}
				var out bytes.Buffer
				w := m.Writer(&out)
				for i := range len(text) {
					w.Write([]byte{text[i]})
				}
				w.Close()
				if out.String() != m.Mask(text) {
					t.Fatalf("%d before, lines of %d: written byte by byte %q", before, width, out.String())
				}
			}
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ secrets, text, want string }{
		{"abcdef", "xabcdefx", "x***x"},
		{"abcdef,defghi", "abcdefghi", "***"},
		{"abcdef,cd", "cd abcdef cd", "*** *** ***"},
		{"ab,cd", "abcd", "******"},
		{"x", "axbx", "a***b***"},
		{"aXa", "aXaXaXa", "***"},
		{",  ,\n", "  a \n b", "  a \n b"},
		{"abcde,bc", "abcdf", "a***df"},
	} {
		m := NewMasker(strings.Split(c.secrets, ",")...)
		if got := m.Mask(c.text); got != c.want {
			t.Errorf("%q in %q gave %q, not %q", c.secrets, c.text, got, c.want)
		}
		if m.Holds(c.text) != (c.want != c.text) {
			t.Errorf("Holds(%q)", c.text)
		}
	}
	if got := NewMasker("{\n  \"key\": \"v4lue-of-it\"\n}").Mask("{ \"key\": \"v4lue-of-it\" }"); got != "{ *** }" {
		t.Errorf("brackets: %q", got)
	}
	if !Weak("äöüxy") || Weak("äöüxyz") {
		t.Error("Weak")
	}
}

// TestWriterHoldsBack holds that no more waits than may be a secret.
func TestWriterHoldsBack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := NewMasker("#secret!").Writer(&out)
	for _, c := range []struct{ write, want string }{{"hello\n", "hello\n"}, {"a #sec", "hello\na "}, {"ret", "hello\na "}, {"!", "hello\na ***"}, {"#secx", "hello\na ***#secx"}, {"#se", "hello\na ***#secx"}} {
		if n, err := w.Write([]byte(c.write)); n != len(c.write) || err != nil || out.String() != c.want {
			t.Errorf("after %q: %q, %v", c.write, out.String(), err)
		}
	}
	if err := w.Flush(); err != nil || !strings.HasSuffix(out.String(), "#secx#se") {
		t.Errorf("flushed: %q", out.String())
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("it writes after Close")
	}
}

func TestAddWhileWriting(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := NewMasker("#one#")
	w := m.Writer(&out)
	w.Write([]byte("#one# #two# #o"))
	m.Add("#two#", "#only#")
	w.Write([]byte("nly# #two# #one#"))
	w.Close()
	if got := out.String(); got != "*** #two# *** *** ***" {
		t.Error(got)
	}
	m = NewMasker("seed-secret")
	var group sync.WaitGroup
	shared := m.Writer(&out)
	for i := range 4 {
		group.Go(func() {
			for k := range 50 {
				m.Add("secret-" + string(rune('a'+i)) + string(rune('a'+k%26)))
				shared.Write([]byte("a seed-secret b"))
				m.Mask("seed-secret")
			}
		})
	}
	group.Wait()
	shared.Close()
	if strings.Contains(out.String(), "seed-secret") {
		t.Error("a secret was shown")
	}
}

// naive masks by looking for every form at every place.
func naive(list map[string]bool, s string) string {
	hit := make([]int, len(s)) // where the longest form that begins here ends
	for i := range s {
		for f := range list {
			if strings.HasPrefix(s[i:], f) {
				hit[i] = max(hit[i], i+len(f))
			}
		}
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if hit[i] == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		end := hit[i]
		for i++; i < end; i++ {
			end = max(end, hit[i])
		}
		b.WriteString(mark)
	}
	return b.String()
}

func FuzzWriter(f *testing.F) {
	f.Add("abcabcab", "abcab", "ca", uint64(0x5))
	f.Add("YWJjZGVmZ2g=", "abcdef", "x", uint64(1<<3))
	f.Add("aXaXaX%2f", "aXa", "/", ^uint64(0))
	f.Add("one\ntwo\\n", "one\ntwo", "", uint64(0))
	f.Add("YWJjZGVm\r\n Z2hpamts\nbW5v", "abcdefghijklmno", "jkl\n", ^uint64(0))
	f.Fuzz(func(t *testing.T, text, one, two string, splits uint64) {
		if len(text) > 200 || len(one) > 40 || len(two) > 40 {
			return
		}
		m := NewMasker(one, two)
		want := m.Mask(text)
		if slow := naive(m.forms, text); len(text) == len([]rune(text)) && !strings.ContainsAny(text, "\r\n") && want != slow {
			t.Fatalf("%q, %q in %q: %q, not %q", one, two, text, want, slow)
		}
		var out bytes.Buffer
		w := m.Writer(&out)
		from := 0
		for i := range len(text) {
			if splits>>(i%64)&1 == 1 {
				w.Write([]byte(text[from:i]))
				from = i
			}
		}
		w.Write([]byte(text[from:]))
		w.Close()
		if out.String() != want {
			t.Fatalf("%q, %q in %q: written %q, masked %q", one, two, text, out.String(), want)
		}
		for form := range m.forms {
			if !strings.Contains(form, "*") && strings.Contains(want, form) {
				t.Fatalf("%q is left in %q", form, want)
			}
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	var secrets []string
	for i := range 10 {
		secrets = append(secrets, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(i * 37), byte(i*11 + 5), 77}, 10)))
	}
	line := []byte(strings.Repeat("2026-11-24 08:13:15 INFO compiled 42 modules of the site in 1.3 s (src/lib/page.ts)\n", 400))
	m := NewMasker(secrets...)
	w := m.Writer(new(nowhere))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		w.Write(line)
	}
}

type nowhere struct{}

func (*nowhere) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkAdd(b *testing.B) {
	for b.Loop() {
		NewMasker("a-secret-of-forty-characters-0123456789ab", "another/secret+with=signs")
	}
}
