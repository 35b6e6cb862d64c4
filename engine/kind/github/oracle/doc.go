// Package oracle compares how workflows run here with how nektos/act runs them,
// and how expressions are evaluated. It is a module of its own, so that nothing
// of act, with its eighty modules, gets into the product: `make oracle` tests
// it.
//
// A case is a txtar archive below testdata: files of a repository, of which
// .github/workflows/x.yml is run. Its comment tells what it is about. A step that
// tells how all steps of the job ended is added to each job. Where act is known
// to be wrong, the comment names the fault, and the file act.txt what act makes of
// it: such a case shows the fault, and fails when it is gone.
package oracle
