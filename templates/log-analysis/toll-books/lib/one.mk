IN = in
OUT = out
export LC_ALL = C

all:
	@mkdir -p $(OUT)/.t && rm -f $(OUT)/.t/* && touch $(OUT)/.t/days.tsv $(OUT)/.t/gantries.tsv $(OUT)/.t/rejects.tsv
	@find $(IN) -name '*.log' -type f > $(OUT)/.t/list
	@if [ -s $(OUT)/.t/list ]; then xargs awk -v top=$(OUT)/.t -f one.awk < $(OUT)/.t/list; fi
	@for f in days gantries rejects; do cmp -s $(OUT)/.t/$$f.tsv $(OUT)/$$f.tsv || cp $(OUT)/.t/$$f.tsv $(OUT)/$$f.tsv; done
	@rm -r $(OUT)/.t
