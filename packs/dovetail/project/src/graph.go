package main

import (
	"fmt"
	"sort"
	"strings"
)

// needsOf gives the names of the packages that a package needs in a solution, in their order.
func (solution *Solution) needsOf(by string) []string {
	var names []string
	for name, demands := range solution.demands {
		for _, demand := range demands {
			if demand.by == by {
				names = append(names, name)
				break
			}
		}
	}
	sort.Strings(names)
	return names
}

// levels puts the packages of a solution into levels: each needs only packages of the levels before. What is left
// needs itself, or something that does.
func (solution *Solution) levels() (levels [][]string, left []string) {
	done := map[string]bool{}
	left = solution.chosenNames()
	for len(left) > 0 {
		var level, waiting []string
		for _, name := range left {
			if solution.isReady(name, done) {
				level = append(level, name)
			} else {
				waiting = append(waiting, name)
			}
		}
		if len(level) == 0 {
			return levels, left
		}
		for _, name := range level {
			done[name] = true
		}
		levels = append(levels, level)
		left = waiting
	}
	return levels, nil
}

// isReady tells whether all that a package needs is done.
func (solution *Solution) isReady(name string, done map[string]bool) bool {
	for _, need := range solution.needsOf(solution.chosen[name].label()) {
		if !done[need] {
			return false
		}
	}
	return true
}

// tree gives the lines of all that something needs, deeper and deeper. What was shown before is not shown again.
func (solution *Solution) tree(by string, depth int, shown map[string]bool) []string {
	var lines []string
	for _, name := range solution.needsOf(by) {
		label := solution.chosen[name].label()
		text := strings.Repeat("  ", depth) + label
		if features := solution.featureNames(name); len(features) > 0 {
			text += " [" + strings.Join(features, ", ") + "]"
		}
		if shown[name] {
			lines = append(lines, text+" (see above)")
			continue
		}
		shown[name] = true
		lines = append(lines, text)
		lines = append(lines, solution.tree(label, depth+1, shown)...)
	}
	return lines
}

// path gives the shortest way from a project to a package; the first one in the order of the names.
func (solution *Solution) path(project, target string) []string {
	type step struct {
		by   string
		path []string
	}
	queue := []step{{project, []string{project}}}
	seen := map[string]bool{}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, name := range solution.needsOf(next.by) {
			if seen[name] {
				continue
			}
			seen[name] = true
			label := solution.chosen[name].label()
			path := append(append([]string(nil), next.path...), label)
			if name == target {
				return path
			}
			queue = append(queue, step{label, path})
		}
	}
	return nil
}

// why gives the shortest way to a package, and all that demand it.
func (solution *Solution) why(project, name string) []string {
	lines := []string{strings.Join(solution.path(project, name), " > ")}
	for _, demand := range solution.demands[name] {
		lines = append(lines, fmt.Sprintf("%s by %s", demand.need.Constraint.text, demand.by))
	}
	return lines
}

// weight counts the packages that a package needs, be it through others.
func (solution *Solution) weight(name string) int {
	seen := map[string]bool{}
	waiting := []string{name}
	for len(waiting) > 0 {
		next := waiting[0]
		waiting = waiting[1:]
		for _, need := range solution.needsOf(solution.chosen[next].label()) {
			if !seen[need] {
				seen[need] = true
				waiting = append(waiting, need)
			}
		}
	}
	delete(seen, name)
	return len(seen)
}
