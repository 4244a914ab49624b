package main

import (
	"fmt"
	"sort"
)

// readLock reads the locked versions: `NAME VERSION` in each line.
func readLock(file, text string) (map[string]Version, error) {
	locked := map[string]Version{}
	for _, line := range splitLines(text) {
		version, isVersion := readVersion(line.rest)
		if !isName(line.word) || !isVersion {
			return nil, lineError(file, line.number, "a name and a version were expected")
		}
		if _, isThere := locked[line.word]; isThere {
			return nil, lineError(file, line.number, "%s is there already", line.word)
		}
		locked[line.word] = version
	}
	return locked, nil
}

// change names what became of a version.
func change(from, to Version) string {
	switch order := to.Compare(from); {
	case order == 0:
		return "same"
	case order < 0:
		return "down"
	case from.Parts[0] != to.Parts[0]:
		return "major"
	case from.Parts[1] != to.Parts[1]:
		return "minor"
	}
	return "patch"
}

// compareLock gives a line for each package that differs between locked versions and a solution.
func compareLock(locked map[string]Version, solution *Solution) []string {
	var lines []string
	for name, version := range locked {
		release := solution.chosen[name]
		if release == nil {
			lines = append(lines, fmt.Sprintf("%s %s: gone", name, version))
		} else if word := change(version, release.Version); word != "same" {
			lines = append(lines, fmt.Sprintf("%s %s -> %s: %s", name, version, release.Version, word))
		}
	}
	for name, release := range solution.chosen {
		if _, isLocked := locked[name]; !isLocked {
			lines = append(lines, fmt.Sprintf("%s %s: new", name, release.Version))
		}
	}
	sort.Strings(lines)
	return lines
}

// newest gives the newest release of a package that is neither yanked nor a release before. Nil if there is none.
func (registry *Registry) newest(name string) *Release {
	for _, release := range registry.releases[name] {
		if !release.IsYanked && len(release.Version.Pre) == 0 {
			return release
		}
	}
	return nil
}

// outdated gives a line for each chosen package of which there is a newer release.
func outdated(registry *Registry, solution *Solution) []string {
	var lines []string
	for _, name := range solution.chosenNames() {
		chosen := solution.chosen[name].Version
		newest := registry.newest(name)
		if newest == nil || newest.Version.Compare(chosen) <= 0 {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s, newest %s: %s", name, chosen, newest.Version, change(chosen, newest.Version)))
	}
	return lines
}
