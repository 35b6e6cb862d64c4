package expr

import "github.com/redundctl/redundctl/engine/expr/value"

// Kind is the kind of value that a Type stands for.
type Kind = value.Kind

// The kinds of values. Any is not known before evaluation.
const (
	Any    = value.Any
	Null   = value.Null
	Bool   = value.Bool
	Number = value.Number
	String = value.String
	Array  = value.Array
	Object = value.Object
)

// Type is what is known of a value before evaluation. The zero value is any
// value at all. Types are only read by Check and may be shared.
type Type struct {
	Kind Kind
	// Elem is the type of an array's elements and of an open object's other
	// fields; nil: any.
	Elem *Type
	// Fields are those of an object, found in any letter case.
	Fields map[string]*Type
	// Open lets an object have other fields than Fields; without it another
	// name is an error that tells the nearest one.
	Open bool

	// What is the word for a field in messages ("step", "param", "secret");
	// Rule the rule of an unknown one; Hint what to do about it when no name
	// is near. "": "field", RuleField and the list of the fields.
	What, Rule, Hint string

	// Refuse makes each use of the value an error. Fields that are refused are
	// left out of what `.*` and an index that is not known stand for, unless
	// all of them are.
	Refuse *Refusal

	// Values are all that a string may be; nil: any. A comparison with another
	// literal is told.
	Values []string

	filtered bool // what `.*` gives: an array whose fields are those of its elements
}

// Refusal is why a value must not be used where the template stands.
type Refusal struct{ Rule, Message, Hint string }

// Types are the contexts that exist where a template stands, by name in lower
// case.
type Types struct {
	Roots map[string]*Type
	// NoStatus makes success(), failure(), always() and cancelled() errors:
	// they have a meaning in conditions alone.
	NoStatus bool
}

// AnyType is a value of which nothing is known.
func AnyType() *Type { return &Type{} }

// The types without parts are always the same ones: nobody changes a Type that
// others may have.
var stringType, numberType, boolType = &Type{Kind: String}, &Type{Kind: Number}, &Type{Kind: Bool}

// StringType is a string.
func StringType() *Type { return stringType }

// NumberType is a number.
func NumberType() *Type { return numberType }

// BoolType is true or false.
func BoolType() *Type { return boolType }

// ArrayOf is an array; nil elements are of any type.
func ArrayOf(elem *Type) *Type { return &Type{Kind: Array, Elem: elem} }

// Closed is an object that has these fields and no others.
func Closed(fields map[string]*Type) *Type { return &Type{Kind: Object, Fields: fields} }

// MapOf is an object with fields of any name and one type; nil: any.
func MapOf(elem *Type) *Type { return &Type{Kind: Object, Open: true, Elem: elem} }
