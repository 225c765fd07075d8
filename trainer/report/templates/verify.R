# SPDX-License-Identifier: MIT
# Recomputes AUCs, their intervals after DeLong and counts of a report by the R package pROC, which
# shares no code with the program that wrote it: Rscript verify.R [PREDICTIONS.csv ...] [aucs.csv]
# Else it takes aucs.csv beside itself, and predictions.csv there, in the folder above, or there in
# predictions/; of several files the mean of the scores. Columns: id, patient, split, and for each
# finding label:NAME (1, 0 or empty) and score:NAME. Exit status: 0 where all agrees to 1e-9, else 1.
options(width = 200)
fail <- function(...) {
  message("verify.R: ", ...)
  quit(status = 1)
}
if (!requireNamespace("pROC", quietly = TRUE)) fail("install R's package pROC (r-cran-proc)")
beside <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1]))
given <- commandArgs(TRUE)
table <- c(given[basename(given) == "aucs.csv"], file.path(beside, "aucs.csv"))[1]
usual <- file.path(beside, c(".", "..", "../predictions"), "predictions.csv")
files <- given[basename(given) != "aucs.csv"]
if (length(files) == 0) files <- c(usual[file.exists(usual)], usual[1])[1]
for (file in c(table, files)) {
  if (grepl("[.]json$", file)) fail(file, ": R compares with the aucs.csv beside it: name that")
  if (!file.exists(file)) fail("there is no ", file, ": name what the report was made of")
  if (!grepl("[.]csv$", file, ignore.case = TRUE)) {
    fail(file, " is not CSV: make it by verify.py --csv=FILE.csv ", file)
  }
}
read <- function(file, text) {
  read.csv(file, check.names = FALSE, fileEncoding = "UTF-8-BOM", na.strings = "",
           colClasses = setNames(rep("character", length(text)), text))
}
parts <- lapply(files, function(file) {
  wrong <- function(error) fail(file, " is not what a report is made of: ", conditionMessage(error))
  tryCatch({
    keys <- c("id", "patient", "split")
    part <- suppressWarnings(read(file, keys))
    labels <- grep("^label:", names(part), value = TRUE)
    absent <- setdiff(c(keys, sub("^label:", "score:", labels)), names(part))
    if (length(absent)) stop("no column ", toString(absent))
    if (nrow(part) == 0) stop("no rows")
    part
  }, error = wrong)
})
rows <- parts[[1]]
# A patient may be written as 00000013 and as 13.
rows$patient <- sub("^0*([0-9]+?)([.]0*)?$", "\\1", trimws(rows$patient), perl = TRUE)
scores <- function(name) {
  of <- lapply(parts, function(part) part[match(rows$id, part$id), paste0("score:", name)])
  Reduce(`+`, of) / length(of)
}
one <- function(split, finding, known, label) {
  found <- data.frame(split, finding, n = sum(known), positives = sum(label[known]),
                      patients = length(unique(rows$patient[known])), auc = NA_real_,
                      auc_delong_low = NA_real_, auc_delong_high = NA_real_)
  least <- min(found$positives, found$n - found$positives)
  if (is.na(least) || least == 0) return(found)
  # With both of these said, pROC does not turn an AUC below 0.5 round.
  curve <- pROC::roc(label[known], scores(finding)[known], levels = c(0, 1), direction = "<")
  area <- found$auc <- as.numeric(curve$auc)
  if (least == 1 || area %in% 0:1) return(found)
  # Symmetric on the logit scale, each image taken as independent.
  reach <- qnorm(0.975) * sqrt(pROC::var(curve, method = "delong")) / (area * (1 - area))
  found[c("auc_delong_low", "auc_delong_high")] <- plogis(qlogis(area) + c(-reach, reach))
  found
}
again <- do.call(rbind, lapply(unique(rows$split), function(split) {
  here <- rows$split == split
  each <- do.call(rbind, lapply(grep("^label:", names(rows), value = TRUE), function(column) {
    label <- as.numeric(rows[[column]])
    one(split, sub("label:", "", column), here & !is.na(label), label)
  }))
  last <- one(split, "mean", here, NA)
  last$auc <- mean(c(each$auc, NA), na.rm = TRUE)
  rbind(each, last)
}))
figures <- names(again)[-(1:2)]
report <- tryCatch(suppressWarnings(read(table, names(again)[1:2]))[names(again)],
                   error = function(error) fail(table, " is not the aucs.csv of a report"))
both <- merge(report, again, c("split", "finding"), all = TRUE, suffixes = c("", ".again"),
              sort = FALSE)
told <- as.matrix(both[figures])
found <- as.matrix(both[paste0(figures, ".again")])
off <- ifelse(is.na(told) & is.na(found), 0, ifelse(is.na(told + found), Inf, abs(told - found)))
wrong <- apply(off > 1e-9, 1, function(each) paste(figures[each], collapse = " "))
print(data.frame(both[1:2], AUC = format(told[, "auc"], digits = 12),
                 pROC = format(found[, "auc.again"], digits = 12), differs = wrong), row.names = FALSE)
cat("The largest of", length(off), "differences is", max(off), "\n")
quit(status = as.integer(any(wrong != "")))
