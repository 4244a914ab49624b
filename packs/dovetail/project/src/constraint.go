package main

import "strings"

// bound is one side of a range: a comparison with a version.
type bound struct {
	operator string
	version  Version
}

// Constraint is what versions are allowed: those that fulfil all bounds of one of its choices.
type Constraint struct {
	text    string
	choices [][]bound
}

// operators are those with which a part of a constraint may begin, the longer ones first.
var operators = []string{">=", "<=", "^", "~", ">", "<", "="}

// readConstraint reads choices with `|` between; each is parts with blanks between.
func readConstraint(text string) (Constraint, bool) {
	constraint := Constraint{text: strings.Join(strings.Fields(text), " ")}
	for _, choice := range strings.Split(text, "|") {
		bounds, isGood := readChoice(choice)
		if !isGood {
			return constraint, false
		}
		constraint.choices = append(constraint.choices, bounds)
	}
	return constraint, true
}

// readChoice reads the parts of one choice.
func readChoice(text string) ([]bound, bool) {
	parts := strings.Fields(text)
	var bounds []bound
	for _, part := range parts {
		found, isGood := readPart(part)
		if !isGood {
			return nil, false
		}
		bounds = append(bounds, found...)
	}
	return bounds, len(parts) > 0
}

// readPart reads one part: `*`, or a version with an operator or without one.
func readPart(text string) ([]bound, bool) {
	if text == "*" {
		return nil, true
	}
	operator := ""
	for _, known := range operators {
		if strings.HasPrefix(text, known) {
			operator = known
			break
		}
	}
	version, count := readPartial(text[len(operator):])
	if count == 0 {
		return nil, false
	}
	return boundsOf(operator, version, count), true
}

// boundsOf gives the bounds that an operator means with a version of so many numbers.
func boundsOf(operator string, version Version, count int) []bound {
	switch operator {
	case "^":
		return between(version, after(version, caretPart(version, count)))
	case "~":
		return between(version, after(version, tildePart(count)))
	case "", "=":
		if count == 3 {
			return []bound{{"=", version}}
		}
		return between(version, after(version, count-1))
	case ">":
		if count < 3 {
			return []bound{{">=", after(version, count-1)}}
		}
	case "<=":
		if count < 3 {
			return []bound{{"<", after(version, count-1)}}
		}
	}
	return []bound{{operator, version}}
}

// caretPart gives the number of a version that must not change: the first that is not 0, or the last that is written.
func caretPart(version Version, count int) int {
	for at := 0; at < count-1; at++ {
		if version.Parts[at] != 0 {
			return at
		}
	}
	return count - 1
}

// tildePart gives the number that must not change behind `~`: the second one, if it is written.
func tildePart(count int) int {
	if count == 1 {
		return 0
	}
	return 1
}

// after gives the first version in which a number is one larger.
func after(version Version, part int) Version {
	var next Version
	copy(next.Parts[:part], version.Parts[:part])
	next.Parts[part] = version.Parts[part] + 1
	return next
}

// between gives the bounds from one version to before another one.
func between(low, high Version) []bound {
	return []bound{{">=", low}, {"<", high}}
}

// allows tells whether a version is on the right side of a bound.
func (bound bound) allows(version Version) bool {
	order := version.Compare(bound.version)
	switch bound.operator {
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	}
	return order == 0
}

// namesPre tells whether one of some bounds is itself a release before the same version.
func namesPre(bounds []bound, version Version) bool {
	for _, bound := range bounds {
		if len(bound.version.Pre) > 0 && bound.version.Parts == version.Parts {
			return true
		}
	}
	return false
}

// choiceAllows tells whether a version fulfils all bounds of a choice. Releases before must be named.
func choiceAllows(bounds []bound, version Version) bool {
	for _, bound := range bounds {
		if !bound.allows(version) {
			return false
		}
	}
	return len(version.Pre) == 0 || namesPre(bounds, version)
}

// Allows tells whether a version is allowed.
func (constraint Constraint) Allows(version Version) bool {
	for _, bounds := range constraint.choices {
		if choiceAllows(bounds, version) {
			return true
		}
	}
	return false
}
