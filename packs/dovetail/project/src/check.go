package main

import (
	"fmt"
	"sort"
)

// finding is something odd at a line of the registry.
type finding struct {
	line int
	text string
}

// hasVersion tells whether some release of a package that is not yanked is allowed.
func (registry *Registry) hasVersion(need Need) bool {
	for _, release := range registry.releases[need.Name] {
		if !release.IsYanked && need.Constraint.Allows(release.Version) {
			return true
		}
	}
	return false
}

// checkNeed tells what is odd about a need. Empty if nothing is.
func (registry *Registry) checkNeed(release *Release, need Need) string {
	if need.Name == release.Name {
		return fmt.Sprintf("%s needs itself", release.label())
	}
	if len(registry.releases[need.Name]) == 0 {
		return fmt.Sprintf("%s needs the unknown package %s", release.label(), need.Name)
	}
	if !registry.hasVersion(need) {
		return fmt.Sprintf("%s needs %s %s, and no version fits", release.label(), need.Name, need.Constraint.text)
	}
	return ""
}

// checkFeatures tells of the words of features that are nothing, and of optional needs in no feature.
func checkFeatures(release *Release) []string {
	var texts []string
	used := map[string]bool{}
	for feature, words := range release.Features {
		for _, word := range words {
			used[word] = true
			_, isOptional := release.Optional[word]
			_, isFeature := release.Features[word]
			if !isOptional && !isFeature {
				texts = append(texts, fmt.Sprintf("%s: the feature %s names the unknown %s", release.label(), feature, word))
			}
		}
	}
	for name := range release.Optional {
		if !used[name] {
			texts = append(texts, fmt.Sprintf("%s: the optional %s is in no feature", release.label(), name))
		}
	}
	sort.Strings(texts)
	return texts
}

// optionalNeeds gives the optional needs of a release in the order of their names.
func (release *Release) optionalNeeds() []Need {
	var needs []Need
	for _, need := range release.Optional {
		needs = append(needs, need)
	}
	sort.Slice(needs, func(one, other int) bool { return needs[one].Name < needs[other].Name })
	return needs
}

// check gives all findings in the order of the lines.
func (registry *Registry) check() []finding {
	var findings []finding
	for _, name := range registry.names() {
		for _, release := range registry.releases[name] {
			for _, need := range append(append([]Need(nil), release.Needs...), release.optionalNeeds()...) {
				if text := registry.checkNeed(release, need); text != "" {
					findings = append(findings, finding{release.Line, text})
				}
			}
			for _, text := range checkFeatures(release) {
				findings = append(findings, finding{release.Line, text})
			}
		}
	}
	sort.SliceStable(findings, func(one, other int) bool { return findings[one].line < findings[other].line })
	return findings
}
