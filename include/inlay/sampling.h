/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sampling.h
 * How a request turns logits into a token. Every field's default is neutral: the model's own distribution at
 * temperature 1. Samplers run in this order: bias and constraint mask, penalties, DRY, top-n-sigma, top-k, epsilon, eta,
 * typical, top-p, min-p, XTC, temperature (or temperature first, by flag, or the order that `samplers` gives), then
 * mirostat. The random numbers are a function of seed and position alone (Philox), so the same logits and seed give the
 * same token on every CPU, in every batch.
 */
#ifndef INLAY_SAMPLING_H
#define INLAY_SAMPLING_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Apply temperature before the truncating samplers instead of after them. */
#define INLAY_SAMPLING_TEMPERATURE_FIRST 1u
/** Count the prompt's tokens in penalties too (repetition always does; this adds presence and frequency). */
#define INLAY_SAMPLING_PENALIZE_PROMPT 2u

/** One logit bias. */
typedef struct inlay_logit_bias {
    int32_t token; /**< token id */
    float bias;    /**< added to its logit; -100 or less bans it */
} inlay_logit_bias;

/** Samplers of a request. Out of range is INLAY_E_INVALID_ARGUMENT and names the field. */
typedef struct inlay_sampling_params {
    uint32_t struct_size;     /**< set by inlay_sampling_params_init() */
    uint32_t flags;           /**< INLAY_SAMPLING_* */
    uint64_t seed;            /**< any value; the same seed gives the same tokens */
    float temperature;        /**< 0 = greedy (lowest id wins a tie), 1 = neutral; 0..100 */
    int32_t top_k;            /**< 0 = off */
    float top_p;              /**< 1 = off; above 0 */
    float min_p;              /**< 0 = off; 0..1 */
    float typical_p;          /**< 1 = off; above 0 */
    float repetition_penalty; /**< 1 = off; above 0 */
    float presence_penalty;   /**< 0 = off; -2..2 */
    float frequency_penalty;  /**< 0 = off; -2..2 */
    int32_t penalty_last_n;   /**< tokens that penalties look back; -1 = all, 0 = off; default 64 */
    float top_n_sigma;        /**< 0 = off */
    float xtc_probability;    /**< 0 = off; 0..1 */
    float xtc_threshold;      /**< above 0.5 = off; default 0.1 */
    float dry_multiplier;     /**< 0 = off */
    float dry_base;           /**< default 1.75; at least 1 */
    int32_t dry_allowed_length; /**< default 2 */
    int32_t dry_last_n;       /**< tokens that DRY looks back; -1 = all */
    float dynatemp_range;     /**< 0 = off: temperature varies by entropy within +- this */
    float dynatemp_exponent;  /**< default 1 */
    float epsilon_cutoff;     /**< 0 = off: drop tokens below this probability; 0..1 */
    float eta_cutoff;         /**< 0 = off; 0..1 */
    int32_t mirostat;         /**< 0 = off, 1, 2: replaces the truncating samplers */
    float mirostat_tau;       /**< default 5 */
    float mirostat_eta;       /**< default 0.1 */
    uint32_t n_logit_bias;    /**< entries of logit_bias; at most 1,024 */
    uint32_t n_dry_breakers;  /**< entries of dry_breakers */
    const inlay_logit_bias *logit_bias; /**< or NULL */
    const int32_t *dry_breakers; /**< token ids that break a DRY sequence, or NULL */
    const inlay_string *samplers; /**< names in the order to run, each at most once: penalties, dry, top_n_sigma, top_k, typ_p,
                                       top_p, min_p, xtc, temperature, epsilon_cutoff, eta_cutoff. One that is left out is off, whatever
                                       its fields say (without temperature nothing is greedy). Greedy runs penalties and dry alone.
                                       Bias and mask stay first, mirostat stays last. */
    uint32_t n_samplers;      /**< entries of samplers; 0 = the default order */
    uint32_t reserved0;       /**< 0 */
} inlay_sampling_params;

/**
 * Set every field to its default: neutral, seed 0.
 *
 * @param params      The struct.
 * @param struct_size sizeof(*params) of the caller.
 * @owns    borrows params.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_sampling_params_init(inlay_sampling_params *params, size_t struct_size);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_SAMPLING_H */
