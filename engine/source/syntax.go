package source
import "github.com/redundctl/redundctl/engine/diag"
func (f *File) syntax(err error, lim Limits) diag.Problem { return diag.Problem{} }
