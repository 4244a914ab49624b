package main

import (
	"fmt"
	"sort"
	"strings"
)

// Need is a package that is needed, in which versions, and with which features.
type Need struct {
	Name       string
	Constraint Constraint
	Features   []string
	IsDev      bool
}

// Release is one version of a package.
type Release struct {
	Name      string
	Version   Version
	Line      int
	IsYanked  bool
	Needs     []Need
	Optional  map[string]Need
	Features  map[string][]string
	Conflicts []Need
}

// Registry has the releases of each package, the newest first.
type Registry struct {
	releases map[string][]*Release
}

// Project is what is to be resolved.
type Project struct {
	Name  string
	Needs []Need
}

// lineError is a fault of a line of a file.
func lineError(file string, line int, text string, values ...any) error {
	return fmt.Errorf("%s:%d: %s", file, line, fmt.Sprintf(text, values...))
}

// isName tells whether a text is a name: words with `-` between.
func isName(text string) bool {
	for _, word := range strings.Split(text, "-") {
		if !isWord(word) {
			return false
		}
	}
	return true
}

// readFeatures cuts features in brackets from the end of a text. False if they are faulty.
func readFeatures(text string) (string, []string, bool) {
	rest, list, hasFeatures := strings.Cut(text, "[")
	if !hasFeatures {
		return text, nil, true
	}
	list = strings.TrimSpace(list)
	if !strings.HasSuffix(list, "]") {
		return rest, nil, false
	}
	features := strings.Fields(strings.ReplaceAll(strings.TrimSuffix(list, "]"), ",", " "))
	for _, feature := range features {
		if !isName(feature) {
			return rest, nil, false
		}
	}
	return rest, features, len(features) > 0
}

// readNeed reads `NAME CONSTRAINT [FEATURES]`. The text that it gives is what is wrong, or empty.
func readNeed(text string) (Need, string) {
	rest, features, isGood := readFeatures(text)
	if !isGood {
		return Need{}, "bad features"
	}
	name, constraint, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !isName(name) {
		return Need{}, fmt.Sprintf("%q is no name", name)
	}
	if strings.TrimSpace(constraint) == "" {
		constraint = "*"
	}
	read, isGood := readConstraint(constraint)
	if !isGood {
		return Need{}, fmt.Sprintf("%q is no constraint", strings.TrimSpace(constraint))
	}
	return Need{Name: name, Constraint: read, Features: features}, ""
}

// line is a line of a file: its number, whether it is in a block, its first word, and the rest.
type line struct {
	number int
	inside bool
	word   string
	rest   string
}

// splitLines cuts a text into lines, without notes and empty ones.
func splitLines(text string) []line {
	var lines []line
	for at, whole := range strings.Split(text, "\n") {
		content, _, _ := strings.Cut(whole, "#")
		trimmed := strings.TrimSpace(content)
		if trimmed == "" {
			continue
		}
		word, rest, _ := strings.Cut(trimmed, " ")
		inside := strings.HasPrefix(content, " ") || strings.HasPrefix(content, "\t")
		lines = append(lines, line{at + 1, inside, word, strings.TrimSpace(rest)})
	}
	return lines
}

// readRelease reads `NAME VERSION`, perhaps with `yanked` behind it.
func readRelease(file string, line line) (*Release, error) {
	words := strings.Fields(line.rest)
	isYanked := len(words) == 3 && words[2] == "yanked"
	if len(words) != 2 && !isYanked {
		return nil, lineError(file, line.number, "a name and a version were expected")
	}
	version, isVersion := readVersion(words[1])
	if !isName(words[0]) {
		return nil, lineError(file, line.number, "%q is no name", words[0])
	}
	if !isVersion {
		return nil, lineError(file, line.number, "%q is no version", words[1])
	}
	release := &Release{Name: words[0], Version: version, Line: line.number, IsYanked: isYanked}
	release.Optional = map[string]Need{}
	release.Features = map[string][]string{}
	return release, nil
}

// addFeature reads `NAME: WORD ...`.
func (release *Release) addFeature(text string) string {
	name, list, hasList := strings.Cut(text, ":")
	words := strings.Fields(list)
	if !hasList || !isName(name) || len(words) == 0 {
		return "a name, a colon and names were expected"
	}
	if _, isThere := release.Features[name]; isThere {
		return fmt.Sprintf("the feature %s is there already", name)
	}
	release.Features[name] = words
	return ""
}

// addLine adds a line to a release. The text that it gives is what is wrong, or empty.
func (release *Release) addLine(line line) string {
	if line.word == "feature" {
		return release.addFeature(line.rest)
	}
	need, wrong := readNeed(line.rest)
	if wrong != "" {
		return wrong
	}
	switch line.word {
	case "needs":
		release.Needs = append(release.Needs, need)
	case "optional":
		release.Optional[need.Name] = need
	case "conflicts":
		release.Conflicts = append(release.Conflicts, need)
	default:
		return fmt.Sprintf("%q is unknown here", line.word)
	}
	return ""
}

// add puts a release among those of its package. False if the version is there already.
func (registry *Registry) add(release *Release) bool {
	for _, other := range registry.releases[release.Name] {
		if other.Version.Compare(release.Version) == 0 {
			return false
		}
	}
	releases := append(registry.releases[release.Name], release)
	sort.Slice(releases, func(one, other int) bool {
		return releases[one].Version.Compare(releases[other].Version) > 0
	})
	registry.releases[release.Name] = releases
	return true
}

// readRegistry reads all releases.
func readRegistry(file, text string) (*Registry, error) {
	registry := &Registry{releases: map[string][]*Release{}}
	var open *Release
	for _, line := range splitLines(text) {
		if line.inside && open != nil {
			if wrong := open.addLine(line); wrong != "" {
				return nil, lineError(file, line.number, "%s", wrong)
			}
			continue
		}
		if line.word != "package" {
			return nil, lineError(file, line.number, "%q is unknown here", line.word)
		}
		release, err := readRelease(file, line)
		if err != nil {
			return nil, err
		}
		if !registry.add(release) {
			return nil, lineError(file, line.number, "%s %s is there already", release.Name, release.Version)
		}
		open = release
	}
	return registry, nil
}

// readProject reads the project.
func readProject(file, text string) (*Project, error) {
	project := &Project{}
	for _, line := range splitLines(text) {
		if line.word == "project" && project.Name == "" && isName(line.rest) {
			project.Name = line.rest
			continue
		}
		if project.Name == "" || (line.word != "needs" && line.word != "dev") {
			return nil, lineError(file, line.number, "%q is unknown here", line.word)
		}
		need, wrong := readNeed(line.rest)
		if wrong != "" {
			return nil, lineError(file, line.number, "%s", wrong)
		}
		need.IsDev = line.word == "dev"
		project.Needs = append(project.Needs, need)
	}
	if project.Name == "" {
		return nil, lineError(file, 1, "a project was expected")
	}
	return project, nil
}

// names gives the names of all packages in their order.
func (registry *Registry) names() []string {
	var names []string
	for name := range registry.releases {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
