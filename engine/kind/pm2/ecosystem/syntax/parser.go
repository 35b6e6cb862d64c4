package syntax

// parser goes through the tokens of a text.
type parser struct {
	src   string
	list  []token
	at    int
	depth int
}

func (p *parser) peek() *token { return &p.list[p.at] }

func (p *parser) ahead(n int) *token { return &p.list[min(p.at+n, len(p.list)-1)] }

func (p *parser) take() *token {
	t := &p.list[p.at]
	if p.at < len(p.list)-1 {
		p.at++
	}
	return t
}

func (p *parser) is(s string) bool {
	t := p.peek()
	return t.is == punctuation && t.text == s
}

func (p *parser) word(s string) bool {
	t := p.peek()
	return t.is == word && t.text == s
}

func (p *parser) skip(s string) bool {
	if p.is(s) {
		p.take()
		return true
	}
	return false
}

func (p *parser) fail(message string) {
	t := p.peek()
	panic(failure{&Error{Line: t.line, Column: t.column, Message: message}})
}

func (p *parser) want(s string) {
	if !p.skip(s) {
		found := "the end"
		if t := p.peek(); t.is != end {
			found = short(t.text)
		}
		p.fail("expected " + s + ", found " + found)
	}
}

func (p *parser) enter() {
	if p.depth++; p.depth > deepest {
		p.fail("expressions lie too deep in each other")
	}
}

func (p *parser) node(op string) *Node {
	t := p.peek()
	return &Node{Op: op, Line: t.line, Column: t.column}
}

// done gives a node its text, from the token where it began.
func (p *parser) done(n *Node, from int) *Node {
	if p.at > 0 && p.list[p.at-1].to >= p.list[from].from {
		n.Text = p.src[p.list[from].from:p.list[p.at-1].to]
	}
	return n
}

// matching is the index of the bracket that closes the one at i.
func (p *parser) matching(i int) int {
	depth := 0
	for ; i < len(p.list); i++ {
		if t := &p.list[i]; t.is == punctuation {
			switch t.text {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				if depth--; depth == 0 {
					return i
				}
			}
		}
	}
	return -1
}

// power is how strongly an operator binds; 0: it is none.
func power(t *token) int {
	if t.is == word {
		if t.text == "in" || t.text == "instanceof" {
			return 9
		}
		return 0
	}
	if t.is != punctuation {
		return 0
	}
	switch t.text {
	case "??":
		return 1
	case "||":
		return 2
	case "&&":
		return 3
	case "|":
		return 4
	case "^":
		return 5
	case "&":
		return 6
	case "==", "!=", "===", "!==":
		return 8
	case "<", ">", "<=", ">=":
		return 9
	case "<<", ">>", ">>>":
		return 10
	case "+", "-":
		return 11
	case "*", "/", "%":
		return 12
	case "**":
		return 13
	}
	return 0
}
