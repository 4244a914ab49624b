// The command: `dovetail COMMAND [--dev] [--lock FILE] [--free NAME] [ARGUMENT ...]`.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

const usage = `usage: dovetail COMMAND [--dev] [--lock FILE] [--free NAME] [ARGUMENT ...]
  resolve | tree | order | why NAME | weights | outdated | diff
  check | versions NAME [CONSTRAINT] | compare VERSION VERSION
`

// errUsage stands for arguments that are no command.
var errUsage = errors.New("usage")

// options are what arguments say besides the command.
type options struct {
	withDev bool
	lock    string
	free    []string
	words   []string
}

// readOptions reads the arguments behind the command.
func readOptions(words []string) (options, error) {
	var found options
	for at := 0; at < len(words); at++ {
		switch words[at] {
		case "--dev":
			found.withDev = true
		case "--lock", "--free":
			if at+1 == len(words) {
				return found, errUsage
			}
			if words[at] == "--lock" {
				found.lock = words[at+1]
			} else {
				found.free = append(found.free, words[at+1])
			}
			at++
		default:
			found.words = append(found.words, words[at])
		}
	}
	return found, nil
}

// readText reads a file.
func readText(path string) (string, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read", path)
	}
	return string(bytes), nil
}

// loadRegistry reads the file `registry`.
func loadRegistry() (*Registry, error) {
	text, err := readText("registry")
	if err != nil {
		return nil, err
	}
	return readRegistry("registry", text)
}

// loadLock reads the locked versions, without those that are free. None without a file.
func loadLock(options options) (map[string]Version, error) {
	if options.lock == "" {
		return map[string]Version{}, nil
	}
	text, err := readText(options.lock)
	if err != nil {
		return nil, err
	}
	locked, err := readLock(options.lock, text)
	if err != nil {
		return nil, err
	}
	for _, name := range options.free {
		delete(locked, name)
	}
	return locked, nil
}

// inputs are what commands about a solution work with.
type inputs struct {
	registry *Registry
	project  *Project
	locked   map[string]Version
	solution *Solution
	words    []string
}

// openInputs reads all files and resolves the project.
func openInputs(options options) (*inputs, error) {
	registry, err := loadRegistry()
	if err != nil {
		return nil, err
	}
	text, err := readText("project")
	if err != nil {
		return nil, err
	}
	project, err := readProject("project", text)
	if err != nil {
		return nil, err
	}
	locked, err := loadLock(options)
	if err != nil {
		return nil, err
	}
	solution, err := resolve(registry, project, locked, options.withDev)
	return &inputs{registry, project, locked, solution, options.words}, err
}

// A command gives its lines and the exit code.
type command func(inputs *inputs) ([]string, int)

func runResolve(inputs *inputs) ([]string, int) {
	var lines []string
	for _, name := range inputs.solution.chosenNames() {
		lines = append(lines, inputs.solution.chosen[name].label())
	}
	return append(lines, fmt.Sprintf("%d packages", len(lines))), 0
}

func runTree(inputs *inputs) ([]string, int) {
	lines := []string{inputs.project.Name}
	return append(lines, inputs.solution.tree(inputs.project.Name, 1, map[string]bool{})...), 0
}

// runOrder gives the levels, and what has none.
func runOrder(inputs *inputs) ([]string, int) {
	levels, left := inputs.solution.levels()
	var lines []string
	for at, level := range levels {
		lines = append(lines, fmt.Sprintf("%d: %s", at+1, strings.Join(level, " ")))
	}
	if len(left) > 0 {
		return append(lines, "cycle: "+strings.Join(left, " ")), 1
	}
	return append(lines, fmt.Sprintf("%d levels", len(levels))), 0
}

func runWhy(inputs *inputs) ([]string, int) {
	name := inputs.words[0]
	if inputs.solution.chosen[name] == nil {
		return []string{name + " is not needed"}, 1
	}
	return inputs.solution.why(inputs.project.Name, name), 0
}

func runWeights(inputs *inputs) ([]string, int) {
	var lines []string
	for _, name := range inputs.solution.chosenNames() {
		lines = append(lines, fmt.Sprintf("%s: %d", name, inputs.solution.weight(name)))
	}
	return append(lines, fmt.Sprintf("%d packages", len(lines))), 0
}

func runOutdated(inputs *inputs) ([]string, int) {
	lines := outdated(inputs.registry, inputs.solution)
	return append(lines, fmt.Sprintf("%d outdated", len(lines))), min(len(lines), 1)
}

func runDiff(inputs *inputs) ([]string, int) {
	lines := compareLock(inputs.locked, inputs.solution)
	return append(lines, fmt.Sprintf("%d differences", len(lines))), min(len(lines), 1)
}

func min(left, right int) int {
	if left < right {
		return left
	}
	return right
}

// solvers are the commands about a solution, with how many arguments they have.
var solvers = map[string]struct {
	run   command
	count int
}{
	"resolve":  {runResolve, 0},
	"tree":     {runTree, 0},
	"order":    {runOrder, 0},
	"why":      {runWhy, 1},
	"weights":  {runWeights, 0},
	"outdated": {runOutdated, 0},
	"diff":     {runDiff, 0},
}

// runCheck tells what is odd in the registry.
func runCheck() ([]string, int, error) {
	registry, err := loadRegistry()
	if err != nil {
		return nil, 2, err
	}
	var lines []string
	for _, finding := range registry.check() {
		lines = append(lines, fmt.Sprintf("line %d: %s", finding.line, finding.text))
	}
	return append(lines, fmt.Sprintf("%d findings", len(lines))), min(len(lines), 1), nil
}

// runVersions gives the versions of a package, perhaps only those that a constraint allows.
func runVersions(words []string) ([]string, int, error) {
	registry, err := loadRegistry()
	if err != nil {
		return nil, 2, err
	}
	constraint, isGood := readConstraint(strings.Join(words[1:], " "))
	if len(words) > 1 && !isGood {
		return nil, 2, fmt.Errorf("%q is no constraint", strings.Join(words[1:], " "))
	}
	var lines []string
	for _, release := range registry.releases[words[0]] {
		if len(words) > 1 && !constraint.Allows(release.Version) {
			continue
		}
		line := release.Version.String()
		if release.IsYanked {
			line += " yanked"
		}
		lines = append(lines, line)
	}
	return append(lines, fmt.Sprintf("%d versions", len(lines))), 0, nil
}

// runCompare tells which of two versions comes first.
func runCompare(words []string) ([]string, int, error) {
	left, isLeft := readVersion(words[0])
	right, isRight := readVersion(words[1])
	if !isLeft {
		return nil, 2, fmt.Errorf("%q is no version", words[0])
	}
	if !isRight {
		return nil, 2, fmt.Errorf("%q is no version", words[1])
	}
	sign := []string{"<", "=", ">"}[left.Compare(right)+1]
	return []string{fmt.Sprintf("%s %s %s: %s", left, sign, right, change(left, right))}, 0, nil
}

// run runs a command. It gives the lines and the exit code.
func run(words []string) ([]string, int, error) {
	if len(words) == 0 {
		return nil, 2, errUsage
	}
	options, err := readOptions(words[1:])
	if err != nil {
		return nil, 2, err
	}
	solver, isSolver := solvers[words[0]]
	count := len(options.words)
	switch {
	case isSolver && count == solver.count:
		inputs, err := openInputs(options)
		if err != nil {
			return nil, 2, err
		}
		lines, status := solver.run(inputs)
		return lines, status, nil
	case words[0] == "check" && count == 0:
		return runCheck()
	case words[0] == "versions" && count >= 1:
		return runVersions(options.words)
	case words[0] == "compare" && count == 2:
		return runCompare(options.words)
	}
	return nil, 2, errUsage
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	lines, status, err := run(os.Args[1:])
	if errors.Is(err, errUsage) {
		fmt.Fprint(out, usage)
	} else if err != nil {
		fmt.Fprintf(out, "dovetail: %s\n", err)
	}
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	out.Flush()
	os.Exit(status)
}
