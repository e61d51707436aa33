"""The commands that every domain has, and what all commands share.

failures   exit codes, and the sentence of a failure
signals    the end by a stop signal
command    help, and arguments that are wrong
options    the options of several commands
domain     a domain's part of its commands
lending    how functions lend their options to a command
shared     prepare, train, sample, evaluate, compare, and the commands of latent space
group      the group of a domain's commands
printing   paths and reports, for people or for programs

Nothing here imports torch before a command runs.
"""
