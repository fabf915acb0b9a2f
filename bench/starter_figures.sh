#!/usr/bin/env bash
# Every figure of the starter's model cards and of docs/results.md, from real pictures and weights
# that lie beside the checkout. About an hour on two CPU cores; what is there already is kept.
#
#   bash bench/starter_figures.sh ../shared/data ../shared/weights out/figures
#   ONLY="drawn|images" bash bench/starter_figures.sh …      # steps whose names match
set -euo pipefail
DATA=$1 WEIGHTS=$2 OUT=$3
RUN=${RUN:-.venv/bin}
BLOOD="$DATA/blood/cases.csv" CERVIX="$DATA/cervix/cases.csv" FIELDS="$DATA/cervix_fields/cases.csv"
AWAY="$DATA/cell_masks/other_laboratory.csv" RED="$DATA/red_cells/red_cells.csv"
MOBILENET="timm:mobilenetv2_100?checkpoint=$WEIGHTS/mobilenetv2_100_imagenet.safetensors&num_classes=1001&pad_type=same&mean=0.5&std=0.5"
export COIN_CACHE_DIR=${COIN_CACHE_DIR:-$OUT/cache}
mkdir -p "$OUT"

step() { # NAME COMMAND…: run once, keep what it prints
    local name=$1
    shift
    [[ -e "$OUT/$name.done" || ! $name =~ ${ONLY:-.} ]] && return
    echo "== $name" >&2
    "$@" >"$OUT/$name.txt" && touch "$OUT/$name.done"
}

# Archives of unseen pictures, and one of everything for the times
step archive "$RUN/coin-index" build "$OUT/val" "$BLOOD" "$CERVIX" "$FIELDS" --where split=val
step archive-blood "$RUN/coin-index" build "$OUT/val-blood" "$BLOOD" --where split=val
step archive-cervix "$RUN/coin-index" build "$OUT/val-cervix" "$CERVIX" "$FIELDS" --where split=val
step archive-away "$RUN/coin-index" build "$OUT/val-away" "$AWAY" --normalise never
step archive-away-wide "$RUN/coin-index" build "$OUT/val-away-wide" "$AWAY" --encoder "starter?margin=0.15"
step archive-red "$RUN/coin-index" build "$OUT/val-red" "$RED" --where split=val
step archive-vision-away "$RUN/coin-index" build "$OUT/vision-away" "$AWAY" --encoder "$MOBILENET"
step archive-vision "$RUN/coin-index" build "$OUT/vision-blood" "$BLOOD" --where split=val --encoder "$MOBILENET"

# Retrieval: every mode, before and after calibration; what each step brings
for part in blood cervix; do
    step "retrieval-$part" "$RUN/coin" evaluate retrieval "$OUT/val-$part" --out "$OUT/retrieval-$part"
    for seed in 1000 2000; do # before the calibration, as the first
        step "retrieval-$part-seed$seed" "$RUN/coin" evaluate retrieval "$OUT/val-$part" \
            --modes text,prototype,fused --seed "$seed" --out "$OUT/retrieval-$part-seed$seed"
    done
    step "ablation-$part" "$RUN/coin" evaluate ablation "$OUT/val-$part" --out "$OUT/ablation-$part"
    step "calibration-$part" "$RUN/coin" calibrate "$OUT/val-$part"
done

# Another laboratory, never trained on: the findings of which it has ten cases or more
counted=()
for finding in neutrophil lymphocyte monocyte eosinophil; do counted+=(--where "finding=$finding"); done
for seed in 0 1000 2000; do
    step "retrieval-away-seed$seed" "$RUN/coin" evaluate retrieval "$OUT/val-away" "${counted[@]}" \
        --seed "$seed" --out "$OUT/retrieval-away-seed$seed"
    step "retrieval-away-wide-seed$seed" "$RUN/coin" evaluate retrieval "$OUT/val-away-wide" \
        "${counted[@]}" --seed "$seed" --out "$OUT/retrieval-away-wide-seed$seed"
    step "retrieval-red-seed$seed" "$RUN/coin" evaluate retrieval "$OUT/val-red" \
        --seed "$seed" --out "$OUT/retrieval-red-seed$seed"
done
step vision "$RUN/coin" evaluate retrieval "$OUT/vision-blood" --modes image,prototype --out "$OUT/vision"
for seed in 0 1000 2000; do
    step "vision-away-seed$seed" "$RUN/coin" evaluate retrieval "$OUT/vision-away" "${counted[@]}" \
        --modes image,prototype --seed "$seed" --out "$OUT/vision-away-seed$seed"
done
# The mean of a picture's four turns, instead of the picture as it lies
step archive-blood-turned "$RUN/coin-index" build "$OUT/val-blood-turned" "$BLOOD" --where split=val --encoder "starter?orientations=4"
step archive-cervix-turned "$RUN/coin-index" build "$OUT/val-cervix-turned" "$CERVIX" "$FIELDS" --where split=val --encoder "starter?orientations=4"
step archive-away-turned "$RUN/coin-index" build "$OUT/val-away-turned" "$AWAY" --encoder "starter?orientations=4" \
    --normalise never
step archive-away-wide-turned "$RUN/coin-index" build "$OUT/val-away-wide-turned" "$AWAY" --encoder "starter?margin=0.15&orientations=4"
for part in blood cervix away away-wide; do
    only=()
    [[ $part = away* ]] && only=("${counted[@]}")
    step "retrieval-$part-turned" "$RUN/coin" evaluate retrieval "$OUT/val-$part-turned" \
        ${only[@]+"${only[@]}"} --out "$OUT/retrieval-$part-turned"
done
# Colours moved to those that the starter knows: elsewhere, alone and with all that helps there; at home
step archive-away-auto "$RUN/coin-index" build "$OUT/val-away-auto" "$AWAY"
step archive-away-stain "$RUN/coin-index" build "$OUT/val-away-stain" "$AWAY" --normalise stain
step archive-away-all "$RUN/coin-index" build "$OUT/val-away-all" "$AWAY" --normalise stain \
    --encoder "starter?margin=0.15&orientations=4"
step archive-blood-stain "$RUN/coin-index" build "$OUT/val-blood-stain" "$BLOOD" --where split=val --normalise stain
step archive-cervix-stain "$RUN/coin-index" build "$OUT/val-cervix-stain" "$CERVIX" "$FIELDS" --where split=val --normalise stain
step archive-red-stain "$RUN/coin-index" build "$OUT/val-red-stain" "$RED" --where split=val --normalise stain
for seed in 0 1000 2000; do
    for part in away-auto away-stain away-all; do
        step "retrieval-$part-seed$seed" "$RUN/coin" evaluate retrieval "$OUT/val-$part" "${counted[@]}" \
            --seed "$seed" --out "$OUT/retrieval-$part-seed$seed"
    done
done
for part in blood cervix red; do
    step "retrieval-$part-stain" "$RUN/coin" evaluate retrieval "$OUT/val-$part-stain" --modes image,text \
        --out "$OUT/retrieval-$part-stain"
done
step stains "$RUN/python" bench/stain_normalising.py "$AWAY" --home "$BLOOD"
step crossing "$RUN/python" bench/crossing.py "$OUT" --out "$OUT/crossing"
# last of what asks it: its searches use what is chosen from then on
step calibration-away "$RUN/coin" calibrate "$OUT/val-away-auto" "${counted[@]}"
# Closeness: blood only, and an archive of many sites; each label and site taken out and asked for
step archive-mixed "$RUN/coin-index" build "$OUT/val-mixed" "$BLOOD" "$RED" "$CERVIX" "$FIELDS" \
    "$DATA/sites/cases.csv" --where split=val
for part in blood mixed; do
    step "close-match-$part" "$RUN/coin" evaluate close-match "$OUT/val-$part" \
        --leave-one-label-out --out "$OUT/close-match-$part"
    step "close-match-$part-pictures" "$RUN/coin" evaluate close-match "$OUT/val-$part" \
        --leave-one-label-out --mode image --out "$OUT/close-match-$part-pictures"
done

# Reports that try the program; defaults that must lose neither at home nor away
step trying "$RUN/python" bench/trying.py "$OUT/val-mixed" --out "$OUT/trying"
away=neutrophil,lymphocyte,monocyte,eosinophil
step travel "$RUN/python" bench/travel.py "$OUT/val-blood" "$OUT/val-cervix" "$OUT/val-away:$away" \
    "$OUT/val-away-wide:$away" --out "$OUT/travel"

# Pictures: as many as the real ones, of the same findings; beside them, those of an untrained network
step untrained "$RUN/python" bench/untrained.py "$OUT/untrained"
for part in blood cervix red; do
    case $part in
        blood) tables=("$BLOOD") count=1500 ;;
        cervix) tables=("$CERVIX" "$FIELDS") count=249 ;;
        red) tables=("$RED") count=477 ;;
    esac
    like=() real=() reference=() training=() held=()
    for table in "${tables[@]}"; do
        like+=(--like "$table") real+=(--real "$table") reference+=(--reference "$table")
        training+=(--training "$table") held+=(--held-out "$table")
    done
    step "drawn-$part" "$RUN/coin" generate "${like[@]}" --where split=val --out "$OUT/drawn-$part"
    step "noise-$part" "$RUN/coin" generate "${like[@]}" --where split=val --out "$OUT/noise-$part" \
        --generator "$OUT/untrained?text_encoder=minilm"
    step "images-$part" "$RUN/coin" evaluate images "${real[@]}" --where split=val \
        "${reference[@]}" --reference-where split=train --generated "$OUT/drawn-$part" \
        --generated "$OUT/noise-$part" --features "$MOBILENET" --size-px 128 --sample "$count" --out "$OUT/images-$part"
    step "memorisation-$part" "$RUN/coin" evaluate memorisation --generated "$OUT/drawn-$part" \
        "${training[@]}" --training-where split=train "${held[@]}" --held-out-where split=val \
        --features "$MOBILENET" --size-px 128 --out "$OUT/memorisation-$part"
    step "agreement-$part" "$RUN/coin" evaluate classifier-agreement --generated "$OUT/drawn-$part/cases.csv" \
        "${training[@]}" --training-where split=train "${held[@]}" --held-out-where split=val \
        --features "$MOBILENET" --size-px 128 --out "$OUT/agreement-$part"
    # the same real pictures through the autoencoder: what bounds the drawn ones
    step "reconstructed-$part" "$RUN/python" bench/reconstructed.py "$OUT/reconstructed-$part" "${tables[@]}"
    step "images-reconstructed-$part" "$RUN/coin" evaluate images "${real[@]}" --where split=val \
        --generated "$OUT/reconstructed-$part/images" --features "$MOBILENET" --size-px 128 --sample "$count" \
        --out "$OUT/images-reconstructed-$part"
    step "agreement-reconstructed-$part" "$RUN/coin" evaluate classifier-agreement \
        --generated "$OUT/reconstructed-$part/cases.csv" "${training[@]}" --training-where split=train \
        "${held[@]}" --held-out-where split=val --features "$MOBILENET" --size-px 128 \
        --out "$OUT/agreement-reconstructed-$part"
done
step drawn-augmentation "$RUN/coin" generate --composed 100 --where "site=peripheral blood" --out "$OUT/drawn-augmentation"
step augmentation "$RUN/coin" evaluate augmentation --real "$BLOOD" --where split=train \
    --test "$BLOOD" --test-where split=val --generated "$OUT/drawn-augmentation/cases.csv" \
    --shots 5,10,50 --seeds 3 --features "$MOBILENET" --size-px 128 --out "$OUT/augmentation"

# Times
step archive-all "$RUN/coin-index" build "$OUT/all" "$BLOOD" "$CERVIX" "$FIELDS" "$DATA/sites/cases.csv"
step warm "$RUN/python" bench/warm_search.py "$OUT/all" --reports 20
step cold "$RUN/python" bench/cold_search.py "$OUT/all"
step encode "$RUN/python" bench/encoding.py --work "$OUT/encoding" --models starter

"$RUN/python" bench/keep_results.py "$OUT" "$DATA" "$WEIGHTS" docs/results
