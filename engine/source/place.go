package source
import "gopkg.in/yaml.v3"
func (f *File) token(n *yaml.Node) Pos { return f.start(n) }
func (f *File) At(path []any) Pos { return Pos{} }
func (f *File) KeyAt(path []any) Pos { return Pos{} }
func (f *File) InString(path []any, offset, width int) Pos { return Pos{} }
func (f *File) Keys(path []any) []string { return nil }
func (f *File) Set(path []any, value string) ([]byte, error) { return nil, nil }
