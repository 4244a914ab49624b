package main

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is three numbers, and perhaps the words of a release before it.
type Version struct {
	Parts [3]int
	Pre   []string
}

// readNumber reads a number without zeros before it, of at most six digits.
func readNumber(text string) (int, bool) {
	if text == "" || len(text) > 6 || (len(text) > 1 && text[0] == '0') {
		return 0, false
	}
	for _, letter := range text {
		if letter < '0' || letter > '9' {
			return 0, false
		}
	}
	number, err := strconv.Atoi(text)
	return number, err == nil
}

// isWord tells whether a text has only small letters and digits, and at least one of them.
func isWord(text string) bool {
	for _, letter := range text {
		isLetter := letter >= 'a' && letter <= 'z'
		isDigit := letter >= '0' && letter <= '9'
		if !isLetter && !isDigit {
			return false
		}
	}
	return text != ""
}

// readPre reads the words of a release before, with points between.
func readPre(text string) ([]string, bool) {
	words := strings.Split(text, ".")
	for _, word := range words {
		if !isWord(word) {
			return nil, false
		}
	}
	return words, true
}

// readParts reads up to three numbers with points between. It gives how many there are, or 0 for a fault.
func readParts(text string) ([3]int, int) {
	var parts [3]int
	words := strings.Split(text, ".")
	if len(words) > 3 {
		return parts, 0
	}
	for at, word := range words {
		number, isNumber := readNumber(word)
		if !isNumber {
			return parts, 0
		}
		parts[at] = number
	}
	return parts, len(words)
}

// readVersion reads a version with all three numbers.
func readVersion(text string) (Version, bool) {
	version, count := readPartial(text)
	return version, count == 3
}

// readPartial reads a version of which the last numbers may be missing. Words may only stand behind all three.
func readPartial(text string) (Version, int) {
	numbers, words, hasWords := strings.Cut(text, "-")
	parts, count := readParts(numbers)
	version := Version{Parts: parts}
	if !hasWords {
		return version, count
	}
	pre, isGood := readPre(words)
	if !isGood || count != 3 {
		return version, 0
	}
	version.Pre = pre
	return version, count
}

func (version Version) String() string {
	text := fmt.Sprintf("%d.%d.%d", version.Parts[0], version.Parts[1], version.Parts[2])
	if len(version.Pre) > 0 {
		text += "-" + strings.Join(version.Pre, ".")
	}
	return text
}

// compareInts gives -1, 0 or 1.
func compareInts(left, right int) int {
	switch {
	case left < right:
		return -1
	case left > right:
		return 1
	}
	return 0
}

// compareWords compares two words of releases before. Numbers come before other words.
func compareWords(left, right string) int {
	leftNumber, leftIs := readNumber(left)
	rightNumber, rightIs := readNumber(right)
	switch {
	case leftIs && rightIs:
		return compareInts(leftNumber, rightNumber)
	case leftIs:
		return -1
	case rightIs:
		return 1
	}
	return strings.Compare(left, right)
}

// comparePre compares the words of two versions with the same numbers. A version without words comes last.
func comparePre(left, right []string) int {
	if len(left) == 0 || len(right) == 0 {
		return compareInts(len(right), len(left))
	}
	for at := 0; at < len(left) && at < len(right); at++ {
		if order := compareWords(left[at], right[at]); order != 0 {
			return order
		}
	}
	return compareInts(len(left), len(right))
}

// Compare gives -1 if the version comes before the other one, 1 if behind it, and 0 if they are equal.
func (version Version) Compare(other Version) int {
	for at := range version.Parts {
		if order := compareInts(version.Parts[at], other.Parts[at]); order != 0 {
			return order
		}
	}
	return comparePre(version.Pre, other.Pre)
}
