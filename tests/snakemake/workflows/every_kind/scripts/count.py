from snakemake.shell import shell

with open(snakemake.input[0]) as file, open(snakemake.output[0], "w") as out:
    out.write(str(len(file.readline())))
shell("printf ' and a shell' >> {snakemake.output}")
