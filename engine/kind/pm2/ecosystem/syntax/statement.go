package syntax

// arrow reads an arrow function; nil: here stands none.
func (p *parser) arrow() *Node {
	from := p.at
	i := p.at
	if p.word("async") && !p.ahead(1).newline && (p.ahead(1).is == word || p.ahead(1).text == "(") {
		i++
	}
	t := &p.list[min(i, len(p.list)-1)]
	var after int
	switch {
	case t.is == word && t.text != "async":
		after = i + 1
	case t.is == punctuation && t.text == "(":
		stop := p.matching(i)
		if stop < 0 {
			return nil
		}
		after = stop + 1
	default:
		return nil
	}
	if after >= len(p.list) || p.list[after].is != punctuation || p.list[after].text != "=>" {
		return nil
	}
	n := p.node("function")
	p.at = i
	if t.is == word {
		n.Kids = append(n.Kids, &Node{Op: "name", Name: p.take().text})
	} else {
		n.Kids = p.parameters()
	}
	p.want("=>")
	n.Keys = []*Node{p.body()}
	return p.done(n, from)
}

// body reads that of an arrow function.
func (p *parser) body() *Node {
	if p.is("{") {
		return p.braces()
	}
	n := p.node("return")
	n.Kids = []*Node{p.expression()}
	return n
}

// function reads `function name(a, b) { … }`; nil: here stands none.
func (p *parser) function() *Node {
	from := p.at
	n := p.node("function")
	if p.word("async") {
		p.take()
	}
	if !p.word("function") {
		return nil
	}
	p.take()
	generator := p.skip("*")
	if p.peek().is == word {
		n.Name = p.take().text
	}
	n.Kids = p.parameters()
	n.Keys = []*Node{p.braces()}
	if generator {
		n.Op = "unknown"
	}
	return p.done(n, from)
}

// parameters are names, `= default`s and patterns.
func (p *parser) parameters() []*Node {
	var out []*Node
	p.want("(")
	for !p.skip(")") {
		n := p.node("name")
		switch t := p.peek(); {
		case p.skip("..."):
			n.Op = "rest"
			n.Name = p.take().text
		case t.is == word:
			n.Name = p.take().text
		case p.is("{"), p.is("["):
			n = p.pattern()
		default:
			p.fail("unexpected " + t.text + " among parameters")
		}
		if p.skip("=") {
			n.Keys = append(n.Keys, p.expression())
		}
		out = append(out, n)
		if !p.is(")") {
			p.want(",")
		}
	}
	return out
}

// pattern reads `{a, b: c}`; the names of others are unknown.
func (p *parser) pattern() *Node {
	n := p.node("pattern")
	if p.is("[") {
		p.block()
		n.Op = "nothing"
		return n
	}
	p.want("{")
	for !p.skip("}") {
		t := p.take()
		if t.is != word {
			p.fail("a pattern that cannot be read")
		}
		f := &Node{Op: "name", Name: t.text, Text: t.text}
		if p.skip(":") {
			f.Name = p.take().text
		}
		if p.skip("=") {
			f.Keys = []*Node{p.expression()}
		}
		n.Kids = append(n.Kids, f)
		if !p.is("}") {
			p.want(",")
		}
	}
	return n
}

// braces reads `{ statements }`.
func (p *parser) braces() *Node {
	p.enter()
	defer func() { p.depth-- }()
	n := p.node("block")
	p.want("{")
	for !p.skip("}") {
		if p.peek().is == end {
			p.fail("a block is not closed")
		}
		n.Kids = append(n.Kids, p.statement())
	}
	return n
}

func (p *parser) statement() *Node {
	p.enter()
	defer func() { p.depth-- }()
	from := p.at
	n := p.node("expression")
	t := p.peek()
	if t.is == word && p.ahead(1).text != ":" {
		switch t.text {
		case "const", "let", "var":
			return p.declaration()
		case "import":
			if next := p.ahead(1); next.text != "(" && next.text != "." {
				return p.imports()
			}
		case "export":
			return p.export()
		case "return":
			n.Op = "return"
			p.take()
			if next := p.peek(); !next.newline && next.is != end && next.text != ";" && next.text != "}" {
				n.Kids = []*Node{p.sequence()}
			}
			p.semicolon()
			return p.done(n, from)
		case "if":
			p.take()
			p.want("(")
			n.Op, n.Kids = "if", []*Node{p.sequence()}
			p.want(")")
			n.Kids = append(n.Kids, p.statement())
			if p.word("else") {
				p.take()
				n.Kids = append(n.Kids, p.statement())
			}
			return p.done(n, from)
		case "function", "async":
			if f := p.function(); f != nil {
				f.Op = "declare"
				return f
			}
			p.at = from
		case "break", "continue", "debugger":
			p.take()
			if next := p.peek(); next.is == word && !next.newline {
				p.take()
			}
			p.semicolon()
			n.Op = "block"
			return n
		case "for", "while", "do", "switch", "try", "class", "throw", "with":
			n.Op = "other"
			p.other()
			return p.done(n, from)
		}
	}
	switch {
	case t.is == word && p.ahead(1).text == ":" && p.ahead(1).is == punctuation: // a label
		p.take()
		p.take()
		return p.statement()
	case p.is("{"):
		return p.braces()
	case p.skip(";"):
		n.Op = "block"
		return n
	}
	n.Kids = []*Node{p.sequence()}
	p.semicolon()
	return p.done(n, from)
}

// sequence reads expressions that commas separate; the last one counts.
func (p *parser) sequence() *Node {
	n := p.expression()
	for p.skip(",") {
		m := p.expression()
		n = &Node{Op: "sequence", Line: n.Line, Column: n.Column, Kids: []*Node{n, m}}
	}
	return n
}

// semicolon is the end of a statement, or where one may be left out.
func (p *parser) semicolon() {
	if t := p.peek(); p.skip(";") || t.is == end || t.newline || p.is("}") {
		return
	}
	p.fail("expected the end of a statement, found " + p.peek().text)
}

// other passes over a statement that is not read.
func (p *parser) other() {
	switch keyword := p.take().text; keyword {
	case "for", "while", "with", "switch":
		if p.word("await") {
			p.take()
		}
		p.group("(")
		if keyword == "switch" {
			p.group("{")
			return
		}
		p.statement()
	case "do":
		p.statement()
		if !p.word("while") {
			p.fail("expected while")
		}
		p.take()
		p.group("(")
		p.skip(";")
	case "try":
		p.group("{")
		if p.word("catch") {
			p.take()
			if p.is("(") {
				p.block()
			}
			p.group("{")
		}
		if p.word("finally") {
			p.take()
			p.group("{")
		}
	case "class":
		for !p.is("{") && p.peek().is != end {
			p.take()
		}
		p.group("{")
	default: // throw
		p.sequence()
		p.semicolon()
	}
}

// group passes over what stands between a bracket, which must be there, and the
// one that closes it.
func (p *parser) group(open string) {
	if !p.is(open) {
		p.want(open)
	}
	p.block()
}

func (p *parser) declaration() *Node {
	from := p.at
	n := p.node("var")
	p.take()
	for {
		at := p.at
		d := p.node("bind")
		if t := p.peek(); t.is == word {
			d.Kids = []*Node{{Op: "name", Name: p.take().text}}
		} else {
			d.Kids = []*Node{p.pattern()}
		}
		if p.skip("=") {
			d.Kids = append(d.Kids, p.expression())
		}
		n.Kids = append(n.Kids, p.done(d, at))
		if !p.skip(",") {
			break
		}
	}
	p.semicolon()
	return p.done(n, from)
}

// imports reads `import a, {b as c} from 'd'`.
func (p *parser) imports() *Node {
	from := p.at
	n := p.node("import")
	p.take()
	for t := p.peek(); t.is != text && t.is != end; t = p.peek() {
		name := p.take()
		if name.is != word || name.text == "from" && p.peek().is == text {
			continue
		}
		local := name
		if p.word("as") {
			p.take()
			local = p.take()
		}
		n.Kids = append(n.Kids, &Node{Op: "name", Name: local.text, Text: name.text})
	}
	n.Name = p.take().cooked
	if p.word("with") || p.word("assert") {
		p.take()
		p.block()
	}
	p.semicolon()
	return p.done(n, from)
}

func (p *parser) export() *Node {
	from := p.at
	n := p.node("export")
	p.take()
	switch {
	case p.word("default"):
		p.take()
		at := p.at
		if f := p.function(); f != nil {
			n.Kids = []*Node{f}
		} else {
			p.at = at
			n.Kids = []*Node{p.expression()}
		}
		p.semicolon()
	case p.word("const"), p.word("let"), p.word("var"):
		d := p.declaration()
		n.Op, n.Kids = "exports", []*Node{d}
	case p.word("function"), p.word("async"):
		f := p.function()
		if f == nil {
			p.fail("expected a function")
		}
		f.Op = "declare"
		return f
	case p.word("class"):
		n.Op = "other"
		p.other()
	default: // {a as b}, * from 'c'
		n.Op = "other"
		for !p.skip(";") && p.peek().is != end {
			if p.is("{") {
				p.block()
			} else {
				p.take()
			}
			if p.peek().newline {
				break
			}
		}
	}
	return p.done(n, from)
}
